/** A region as Membership holds it: attested by the consortium, never by the region's own word alone. */
import type { Hex } from "viem";
import type { RegionId } from "./ids.ts";

export interface Region {
  readonly id: RegionId;
  readonly name: string;
  readonly organisation: number;
  readonly treasury: Hex;
  readonly agentKey: Hex;
  /** Ed25519, raw. */
  readonly routingKey: Hex;
  /** Unit vector of the region's place, scaled by 10^9. */
  readonly place: Place;
  readonly prefixes: readonly string[];
  /** Names of the media that it is attached to. */
  readonly fabrics: readonly string[];
  readonly attributes: readonly Attribute[];
  readonly controlUrls: readonly string[];
  readonly active: boolean;
}

/** What the consortium attests about a region's links: bit i of the register is the i-th of these. */
export const ATTRIBUTES = ["postQuantum"] as const;
export type Attribute = (typeof ATTRIBUTES)[number];

export function attributeBits(attributes: readonly Attribute[]): number {
  return attributes.reduce((bits, attribute) => bits | (1 << ATTRIBUTES.indexOf(attribute)), 0);
}

export function attributesOf(bits: number): Attribute[] {
  return ATTRIBUTES.filter((_, i) => (bits >>> i) & 1);
}

export interface Place {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

export const EARTH_RADIUS_KM = 6371;

/** Great-circle distance. */
export function distanceKm(a: Place, b: Place): number {
  const cosine = (a.x * b.x + a.y * b.y + a.z * b.z) / 1e18;
  return EARTH_RADIUS_KM * Math.acos(Math.min(1, Math.max(-1, cosine)));
}

/** Whether a place is inside a cell, as the contracts decide it. @param cell `cosine` of its radius, scaled by 10^9 */
export function isInCell({ x, y, z }: Place, cell: { readonly place: Place; readonly cosine: number }): boolean {
  return x * cell.place.x + y * cell.place.y + z * cell.place.z >= cell.cosine * 1e9;
}

/** Unit vector scaled by 10^9 from degrees. */
export function placeOf(latitudeDegrees: number, longitudeDegrees: number): Place {
  const latitude = (latitudeDegrees * Math.PI) / 180;
  const longitude = (longitudeDegrees * Math.PI) / 180;
  return {
    x: Math.round(1e9 * Math.cos(latitude) * Math.cos(longitude)),
    y: Math.round(1e9 * Math.cos(latitude) * Math.sin(longitude)),
    z: Math.round(1e9 * Math.sin(latitude)),
  };
}
