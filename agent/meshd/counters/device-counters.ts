/**
 * What the kernel counted. Bytes and packets come from one file for all interfaces, cheap enough to be read several
 * times a second; drops of shapers and policers need two commands, and are read at most every few seconds.
 */
import { readFileSync } from "node:fs";
import type { Logger } from "pino";
import { z } from "zod";
import { describeError } from "../../model/errors.ts";
import { commandJson } from "../kernel/commands.ts";
import { NFT_TABLE } from "../kernel/marks.ts";
import { LEASE_COUNTER } from "../steering/ruleset.ts";

export interface DeviceCount {
  readonly receivedBytes: number;
  readonly receivedPackets: number;
  readonly sentBytes: number;
  readonly sentPackets: number;
  readonly droppedPackets: number;
}

const DROPS_FRESH_MILLIS = 5_000;

/** At once: the kernel answers sooner than a thread would be woken to ask. */
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

const qdiscs = z.array(z.object({ dev: z.string(), root: z.boolean().optional(), drops: z.number().optional() }));
const ruleset = z.object({
  nftables: z.array(z.object({ counter: z.object({ name: z.string(), packets: z.number() }).optional() })),
});

/** Drops of shapers and policers by device. A tool that fails says so once, and what was read before stands meanwhile. */
export class Drops {
  readonly #log: Logger;
  #said = "";
  #drops: ReadonlyMap<string, number> = new Map();
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(log: Logger) {
    this.#log = log;
  }

  async read(nowMillis: number): Promise<ReadonlyMap<string, number>> {
    if (nowMillis - this.#readAt < DROPS_FRESH_MILLIS) return this.#drops;
    this.#readAt = nowMillis;
    try {
      this.#drops = await readDrops();
      this.#said = "";
    } catch (error) {
      const message = describeError(error);
      if (message !== this.#said) this.#log.warn({}, message);
      this.#said = message;
    }
    return this.#drops;
  }
}

async function readDrops(): Promise<ReadonlyMap<string, number>> {
  const [shapers, policers] = await Promise.all([
    commandJson("tc", ["-s", "-j", "qdisc", "show"], qdiscs),
    commandJson("nft", ["-j", "list", "counters", "table", "inet", NFT_TABLE], ruleset),
  ]);
  const drops = new Map<string, number>();
  const add = (device: string, count: number): void => void drops.set(device, (drops.get(device) ?? 0) + count);
  for (const qdisc of shapers) if (qdisc.root) add(qdisc.dev, qdisc.drops ?? 0);
  for (const { counter } of policers.nftables) {
    const device = counter && LEASE_COUNTER.exec(counter.name)?.[1];
    if (device) add(device, counter.packets);
  }
  return drops;
}
