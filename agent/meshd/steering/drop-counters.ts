/** Names of the counters in our nftables table: the reason of a drop, and the device. */
import { DEVICE } from "../kernel/marks.ts";

/** One counter for each device; the policer has one for each buyer on a device. */
export const DEVICE_COUNTERS = ["unauthorised", "strayed", "toRouter"] as const;
export type DeviceCounter = (typeof DEVICE_COUNTERS)[number];

/** Name of a nftables counter of dropped packets. */
export const deviceCounter = (kind: DeviceCounter, device: string): string => `${kind}_${device}`;
export const policerCounter = (device: string, meshIndex: number): string => `policer_${device}_${meshIndex}`;

const NAME = new RegExp(`^(policer|${DEVICE_COUNTERS.join("|")})_(${DEVICE})(?:_\\d+)?$`);

/** Null: not one of these counters. */
export function droppedBy(name: string): { readonly by: DeviceCounter | "policer"; readonly device: string } | null {
  const [, by, device] = NAME.exec(name) ?? [];
  return by === undefined || device === undefined ? null : { by: by as DeviceCounter | "policer", device };
}
