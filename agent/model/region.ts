/** A region as the consortium registered it in Membership. */
import type { Hex } from "viem";
import type { RegionId } from "./ids.ts";

export interface Region {
  readonly id: RegionId;
  readonly name: string;
  /** Number of the organisation that owns the region. */
  readonly organisation: number;
  readonly treasury: Hex;
  readonly agentKey: Hex;
  /** Ed25519 public key, 32 bytes. */
  readonly routingKey: Hex;
  readonly place: Place;
  /** Address prefixes that the region holds. */
  readonly prefixes: readonly string[];
  /** Names of the fabrics that the region is attached to. */
  readonly fabrics: readonly string[];
  readonly attributes: readonly Attribute[];
  readonly controlUrls: readonly string[];
  readonly active: boolean;
}

/** Properties of a region's links that the consortium attests; the i-th is bit i in Membership. */
export const ATTRIBUTES = ["postQuantum"] as const;
export type Attribute = (typeof ATTRIBUTES)[number];

/** The attributes as Membership stores them: bit i for the i-th. */
export function attributeBits(attributes: readonly Attribute[]): number {
  return attributes.reduce((bits, attribute) => bits | (1 << ATTRIBUTES.indexOf(attribute)), 0);
}

/** The attributes of such bits; unknown bits are ignored. */
export function attributesOf(bits: number): Attribute[] {
  return ATTRIBUTES.filter((_, i) => (bits >>> i) & 1);
}

/** A place on earth as a unit vector from its centre, scaled by 10^9. */
export interface Place {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

export const EARTH_RADIUS_KM = 6371;

/** Great-circle distance in km, to about 0.3 km. */
export function distanceKm(a: Place, b: Place): number {
  const cosine = (a.x * b.x + a.y * b.y + a.z * b.z) / 1e18;
  return EARTH_RADIUS_KM * Math.acos(Math.min(1, Math.max(-1, cosine)));
}

/** Whether a place is inside a cell, as the contracts decide it. @param cell `cosine` of its radius, scaled by 10^9 */
export function isInCell({ x, y, z }: Place, cell: { readonly place: Place; readonly cosine: number }): boolean {
  return x * cell.place.x + y * cell.place.y + z * cell.place.z >= cell.cosine * 1e9;
}

/** @param latitudeDegrees −90 to 90. @param longitudeDegrees −180 to 180. */
export function placeOf(latitudeDegrees: number, longitudeDegrees: number): Place {
  const latitude = (latitudeDegrees * Math.PI) / 180;
  const longitude = (longitudeDegrees * Math.PI) / 180;
  return {
    x: Math.round(1e9 * Math.cos(latitude) * Math.cos(longitude)),
    y: Math.round(1e9 * Math.cos(latitude) * Math.sin(longitude)),
    z: Math.round(1e9 * Math.sin(latitude)),
  };
}
