/** What handlers act with: the drivers of one region's agent, put together by agent/serve.ts. */
import type { Logger } from "pino";
import type { PublicClient } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import type { Deployment } from "../chain/client.ts";
import type { ChainClock } from "../chain/clock.ts";
import type { Sender } from "../chain/sender.ts";
import type { Config } from "../config.ts";
import type { ControlClient } from "../control/client.ts";
import type { LatencyTable } from "../control/latency.ts";
import type { Journal } from "../journal/journal.ts";
import type { MeshdClient } from "../meshd-client.ts";
import type { RegionId } from "../model/ids.ts";
import { LEASE_LEAD_SECONDS } from "../model/market.ts";
import type { Counters } from "../model/meshd-messages.ts";
import type { Region } from "../model/region.ts";
import type { ChainConstants } from "../model/register.ts";
import { monotonicMillis } from "../model/time.ts";
import type { LocalMessage } from "./messages.ts";
import type { World } from "./reduce.ts";

export interface Site {
  readonly config: Config;
  readonly self: RegionId;
  readonly key: PrivateKeyAccount;
  readonly deployment: Deployment;
  readonly constants: ChainConstants;
  readonly client: PublicClient;
  readonly clock: ChainClock;
  readonly sender: Sender;
  readonly journal: Journal;
  readonly control: ControlClient;
  readonly latencies: LatencyTable;
  readonly meshd: MeshdClient;
  readonly log: Logger;
  readonly signal: AbortSignal;
  world(): World;
  regions(): ReadonlyMap<RegionId, Region>;
  /** By their number in the register. */
  fabrics(): readonly string[];
  /** The newest that meshd said; kept for links that are gone already. */
  counters(): ReadonlyMap<string, Counters["links"][number]>;
  /** Journals, then changes the state. */
  dispatch(message: LocalMessage): void;
}

/** From the opening of an auction to the start of its leases, with blocks of a second. */
export function leadSeconds({ urgentBlocks }: Pick<ChainConstants, "urgentBlocks">): number {
  return 2 * (urgentBlocks + 1) + LEASE_LEAD_SECONDS;
}

export function chainNow(site: Pick<Site, "clock">): number {
  return site.clock.nowSeconds(monotonicMillis());
}

export function regionOf(site: Site, id: RegionId): Region {
  const region = site.regions().get(id);
  if (!region) throw new Error(`region ${id} is not in the register`);
  return region;
}
