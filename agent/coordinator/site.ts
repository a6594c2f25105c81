/** The drivers of one region's agent, which handlers use; agent/serve.ts puts them together. */
import type { Logger } from "pino";
import type { PrivateKeyAccount } from "viem/accounts";
import type { Deployment } from "../chain/client.ts";
import type { ChainClock } from "../chain/clock.ts";
import type { ChainReads } from "../chain/reads.ts";
import type { NodeState } from "../chain/rpc-pool.ts";
import type { Sender } from "../chain/sender.ts";
import type { Config } from "../config.ts";
import type { ControlClient } from "../control/client.ts";
import type { LatencyTable } from "../control/latency.ts";
import type { Journal } from "../journal/journal.ts";
import type { MeshdClient } from "../meshd-client.ts";
import type { RegionId } from "../model/ids.ts";
import type { Counters } from "../model/meshd-messages.ts";
import type { Region } from "../model/region.ts";
import type { ChainConstants } from "../model/register.ts";
import { monotonicMillis } from "../model/time.ts";
import type { LocalMessage } from "./messages.ts";
import type { MarketFacts } from "./order.ts";
import type { World } from "./reduce.ts";

/** What handlers ask the chain, and nothing else of it. */
export type ChainPort = Pick<
  ChainReads,
  "account" | "priorityBudget" | "closingScore" | "score" | "evidence" | "submit"
>;

export interface Site {
  readonly config: Config;
  readonly self: RegionId;
  readonly key: PrivateKeyAccount;
  readonly deployment: Deployment;
  readonly constants: ChainConstants;
  readonly chain: ChainPort;
  /** The RPC nodes of the configuration, in its order. */
  rpcNodes(): readonly NodeState[];
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
  /** By link, also of links that are gone (Telemetry). */
  counters(): ReadonlyMap<string, Counters["links"][number]>;
  /** Journals, then changes the state. */
  dispatch(message: LocalMessage): void;
}

/** What decisions about orders need, as of now. */
export function marketFacts(site: Site): MarketFacts {
  return {
    self: site.self,
    config: site.config,
    constants: site.constants,
    nowSeconds: chainNow(site),
    regions: site.regions(),
    fabrics: site.fabrics(),
    meshes: [...site.world().meshes.values()],
  };
}

/** Unix seconds by the chain's clock. */
export function chainNow(site: Pick<Site, "clock">): number {
  return site.clock.nowSeconds(monotonicMillis());
}

/** A registered region. @throws Error where the id is not in the register */
export function regionOf(site: Site, id: RegionId): Region {
  const region = site.regions().get(id);
  if (!region) throw new Error(`region ${id} is not in the register`);
  return region;
}
