/** Distances on earth, to check measured delays against. */
export const LIGHT_IN_FIBRE_KM_PER_MS = 200;
const EARTH_RADIUS_KM = 6371;

interface Point {
  readonly latitude: number;
  readonly longitude: number;
}

export function greatCircleKm(a: Point, b: Point): number {
  const [phiA, phiB, deltaLambda] = [a.latitude, b.latitude, b.longitude - a.longitude].map(
    (degrees) => (degrees * Math.PI) / 180,
  ) as [number, number, number];
  const haversine = (angle: number) => Math.sin(angle / 2) ** 2;
  const h = haversine(phiB - phiA) + Math.cos(phiA) * Math.cos(phiB) * haversine(deltaLambda);
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.sqrt(h));
}
