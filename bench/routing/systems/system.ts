/** What every routing system offers the benchmark, ours and the peers. */
import type { Lab } from "../../../lab/lab.ts";

export interface RoutingSystem {
  readonly name: string;
  readonly about: string;
  /** Brings tunnels and daemons up in a fresh lab; routes come when they come. */
  start(lab: Lab): Promise<RunningSystem>;
}

export interface RunningSystem {
  /** Process ids of what routes at each node, the tunnels' own apart. */
  readonly daemons: ReadonlyMap<number, readonly number[]>;
  /** The tunnel's interface at a node that leads to a neighbour. */
  device(at: number, peer: number): Promise<string>;
  /** Brings an interface that was put down back, with what the kernel forgot. */
  raise(at: number, peer: number): Promise<void>;
  /** Ours alone: ends that are announced. */
  readonly orderly?: {
    /** Restarts the router process of a node. */
    restart(at: number): Promise<void>;
    /** Lets the lease between two neighbours run out now, and returns when its interface is gone. */
    endLease(a: number, b: number): Promise<void>;
  };
}
