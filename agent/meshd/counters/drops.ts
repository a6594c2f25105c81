/**
 * Packets dropped by shapers and by our nftables rules. Reading them costs two commands for all links together, `tc` and
 * `nft` (6 ms of processor time with 4 links, 10 ms with 50); they run only when the agent asks, and at most every 5 s.
 * The kernel's counters start from zero when a shaper or our table is replaced; the totals here continue, less what was
 * dropped since the last read.
 */
import type { Logger } from "pino";
import { z } from "zod";
import { describeError } from "../../model/errors.ts";
import type { DroppedPackets } from "../../model/meshd-messages.ts";
import { commandJson } from "../kernel/commands.ts";
import { NFT_TABLE } from "../kernel/marks.ts";
import { droppedBy } from "../steering/drop-counters.ts";

export type LinkDrops = Omit<DroppedPackets, "interface">;
/** By device. */
export type DropCounts = ReadonlyMap<string, LinkDrops>;

export const NO_DROPS: LinkDrops = { shaper: 0, policer: 0, unauthorised: 0, strayed: 0, toRouter: 0 };
const KINDS = Object.keys(NO_DROPS) as (keyof LinkDrops)[];
const FRESH_MILLIS = 5_000;

/** A tool that fails is logged once, and the last totals stay. */
export class Drops {
  readonly #log: Logger;
  readonly #readKernel: () => Promise<DropCounts>;
  #logged = "";
  #kernel: DropCounts = new Map();
  #totals: DropCounts = new Map();
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(log: Logger, readKernel = readDrops) {
    this.#log = log;
    this.#readKernel = readKernel;
  }

  /** Packets by device since this object first saw the device, at most 5 s old. Never rejects. */
  async read(nowMillis: number): Promise<DropCounts> {
    if (nowMillis - this.#readAt < FRESH_MILLIS) return this.#totals;
    this.#readAt = nowMillis;
    try {
      const kernel = await this.#readKernel();
      this.#totals = new Map([...kernel].map(([device, counts]) => [device, this.#totalOf(device, counts)]));
      this.#kernel = kernel;
      this.#logged = "";
    } catch (error) {
      const message = describeError(error);
      if (message !== this.#logged) this.#log.warn({}, message);
      this.#logged = message;
    }
    return this.#totals;
  }

  #totalOf(device: string, counts: LinkDrops): LinkDrops {
    const last = this.#kernel.get(device) ?? NO_DROPS;
    const total = { ...(this.#totals.get(device) ?? NO_DROPS) };
    for (const kind of KINDS) total[kind] += counts[kind] < last[kind] ? counts[kind] : counts[kind] - last[kind];
    return total;
  }
}

const qdiscs = z.array(z.object({ dev: z.string(), root: z.boolean().optional(), drops: z.number().optional() }));
const counters = z.object({
  nftables: z.array(z.object({ counter: z.object({ name: z.string(), packets: z.number() }).optional() })),
});

async function readDrops(): Promise<DropCounts> {
  const [shapers, { nftables }] = await Promise.all([
    commandJson("tc", ["-s", "-j", "qdisc", "show"], qdiscs),
    commandJson("nft", ["-j", "list", "counters", "table", "inet", NFT_TABLE], counters),
  ]);
  const drops = new Map<string, { -readonly [kind in keyof LinkDrops]: number }>();
  for (const { counter } of nftables) {
    const found = counter && droppedBy(counter.name);
    if (!found) continue;
    const counts = drops.get(found.device) ?? { ...NO_DROPS };
    drops.set(found.device, counts);
    counts[found.by] += counter.packets;
  }
  for (const { root, dev, drops: dropped = 0 } of shapers) {
    const counts = drops.get(dev);
    if (root && counts) counts.shaper += dropped;
  }
  return drops;
}
