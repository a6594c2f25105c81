/** The kernel's counters of all interfaces, from one file that is cheap enough to read several times a second. */
import { readFileSync } from "node:fs";

export interface DeviceCount {
  readonly receivedBytes: number;
  readonly receivedPackets: number;
  readonly sentBytes: number;
  readonly sentPackets: number;
  readonly droppedPackets: number;
}

/** Synchronously, which is faster than waking a thread for it. */
export function readDevices(): ReadonlyMap<string, DeviceCount> {
  return parseDevices(readFileSync("/proc/self/net/dev", "utf8"));
}

/** Columns of /proc/net/dev: bytes packets errs drop … (8) for receiving, then the same for sending. */
export function parseDevices(text: string): ReadonlyMap<string, DeviceCount> {
  const counts = new Map<string, DeviceCount>();
  for (const line of text.split("\n")) {
    const [, device, figures] = /^\s*(\S+):\s*(.*)$/.exec(line) ?? [];
    const n = figures?.trim().split(/\s+/).map(Number);
    if (device === undefined || n === undefined || n.length < 16) continue;
    counts.set(device, {
      receivedBytes: n[0] ?? 0,
      receivedPackets: n[1] ?? 0,
      sentBytes: n[8] ?? 0,
      sentPackets: n[9] ?? 0,
      droppedPackets: (n[3] ?? 0) + (n[11] ?? 0),
    });
  }
  return counts;
}
