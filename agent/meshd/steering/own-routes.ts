/**
 * Routes in `main` that are more specific than a leased prefix and do not use the standing peering: they belong to the
 * region or its customers, and keep their traffic. They are read again only when they may have changed, because a router
 * may have a million others.
 */

import { z } from "zod";
import { isIpv6 } from "../../model/address.ts";
import { contains, PrefixSet, toPrefix } from "../../model/prefix.ts";
import { commandJson } from "../kernel/commands.ts";
import { PROTOCOL } from "../kernel/marks.ts";
import { forEachParallel } from "../parallel.ts";

const MAX_PARALLEL = 8;

const foundRoutes = z.array(
  z.object({
    dst: z.string(),
    dev: z.string().optional(),
    protocol: z.union([z.string(), z.number()]).transform(String).optional(),
    nexthops: z.array(z.object({ dev: z.string().optional() })).optional(),
  }),
);

export class OwnRoutes {
  readonly #primaryDevices: readonly string[];
  #leased: readonly string[] = [];
  /** Queried for every change of a route in `main`. */
  #leasedSet = new PrefixSet([]);
  #isKnown = true;
  /** In canonical form, each strictly inside a leased prefix. */
  prefixes: readonly string[] = [];

  constructor(primaryDevices: readonly string[]) {
    this.#primaryDevices = primaryDevices;
  }

  /** A route in `main` was added or deleted; returns whether it may be one of these. */
  onRouteChange(prefix: string): boolean {
    const matters = this.#leasedSet.contains(prefix);
    if (matters) this.#isKnown = false;
    return matters;
  }

  async refresh(leased: readonly string[]): Promise<void> {
    if (this.#isKnown && leased.join() === this.#leased.join()) return;
    this.#leased = leased;
    this.#leasedSet = new PrefixSet(leased);
    // Set before reading, so that a change meanwhile is not lost.
    this.#isKnown = true;
    const own = new Set<string>();
    await forEachParallel(leased, MAX_PARALLEL, async (prefix) => {
      const family = isIpv6(prefix) ? "-6" : "-4";
      const args = [family, "-j", "-N", "route", "show", "table", "main", "root", prefix];
      const found = await commandJson("ip", args, foundRoutes);
      for (const each of ownInside(found, prefix, this.#primaryDevices)) own.add(each);
    }).catch((error: unknown) => {
      this.#isKnown = false;
      throw error;
    });
    this.prefixes = [...own];
  }
}

/** Pure: of the routes inside `prefix`, those that belong to the region. */
export function ownInside(
  routes: z.infer<typeof foundRoutes>,
  prefix: string,
  primaryDevices: readonly string[],
): readonly string[] {
  return routes.flatMap(({ dst, dev, protocol, nexthops }) => {
    const devices = [dev, ...(nexthops ?? []).map((hop) => hop.dev)];
    if (protocol === String(PROTOCOL) || devices.some((name) => name && primaryDevices.includes(name))) return [];
    const own = toPrefix(dst);
    return own !== null && own !== prefix && contains(prefix, own) ? [own] : [];
  });
}
