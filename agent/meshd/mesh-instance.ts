/** One mesh at this node: its specification, its routing core, and the log of changes with their reasons. */
import type { KeyObject } from "node:crypto";
import type { RegionId } from "../model/ids.ts";
import type { Measurements, MeshSpec } from "../model/meshd-messages.ts";
import { monotonicMillis } from "../model/time.ts";
import { demandsOf } from "./demands.ts";
import type { Link } from "./link/link.ts";
import { type Effect, RoutingCore } from "./routing/core.ts";
import { routingPublicKey } from "./routing/lsa.ts";
import type { Refusals } from "./routing/refusals.ts";
import type { Route, RouteChange } from "./routing/routes.ts";
import { encodeAcknowledgement, encodeAdvertisement, type RoutingPacket } from "./routing/wire.ts";
import type { MeshRoutes } from "./steering/wanted.ts";

type LoggedChange = Measurements["meshes"][number]["changes"][number];
const LOGGED_CHANGES = 100;

export interface MeshEvents {
  /** Routes changed: the kernel must be updated. */
  readonly onRoutes: (mesh: MeshInstance) => void;
  readonly onChange: (mesh: MeshInstance, change: LoggedChange) => void;
  /** An advertisement of an earlier run of this node is in the mesh: its numbers must not be used again. */
  readonly onIncarnation: (incarnation: number) => void;
  /** Another process originates advertisements with this node's key. */
  readonly onDuplicate: (mesh: MeshInstance) => void;
}

export class MeshInstance {
  readonly #core: RoutingCore;
  readonly #events: MeshEvents;
  #spec: MeshSpec;
  #links: readonly Link[] = [];
  #changes: LoggedChange[] = [];
  #isRecomputeScheduled = false;

  constructor(
    spec: MeshSpec,
    routing: { readonly key: KeyObject; readonly incarnation: number },
    events: MeshEvents,
    nowMillis: number,
  ) {
    this.#spec = spec;
    this.#events = events;
    this.#core = new RoutingCore({ meshId: spec.meshId, self: spec.self, ...routing }, nowMillis);
    this.setSpec(spec, nowMillis);
  }

  get spec(): MeshSpec {
    return this.#spec;
  }
  get changes(): readonly LoggedChange[] {
    return this.#changes;
  }
  get routes(): readonly Route[] {
    return this.#core.routes;
  }
  /** The neighbour of each link, by the link's tag. */
  get peers(): ReadonlyMap<string, RegionId> {
    return new Map(this.#links.map((link) => [link.tag, link.spec.peer]));
  }
  get refusals(): Refusals {
    return this.#core.refusals;
  }

  setSpec(spec: MeshSpec, nowMillis: number): void {
    this.#spec = spec;
    const participants = new Map(
      spec.participants.map(({ regionId, routingKey }) => [regionId, routingPublicKey(routingKey)]),
    );
    this.#perform(this.#core.configure({ participants, demands: demandsOf(spec) }, nowMillis), nowMillis);
  }

  /** Sets the links of this mesh that have an interface. */
  setLinks(links: readonly Link[], nowMillis: number): void {
    this.#links = links;
    this.refresh(nowMillis);
  }

  /** Gives the routing core the links' current metrics, and the time. */
  refresh(nowMillis: number): void {
    const usable = this.#links.flatMap((link) => link.advertisement(nowMillis) ?? []);
    this.#perform(this.#core.setLinks(usable, nowMillis), nowMillis);
    this.#perform(this.#core.tick(nowMillis), nowMillis);
  }

  /** First step of an orderly end, see RoutingCore. */
  announceNoTransit(nowMillis: number): void {
    this.#perform(this.#core.announceNoTransit(nowMillis), nowMillis);
  }

  /** Last step of an orderly end, see RoutingCore. */
  announceNoLinks(nowMillis: number): void {
    this.#perform(this.#core.announceNoLinks(nowMillis), nowMillis);
  }

  receive(link: Link, packet: RoutingPacket, nowMillis: number): void {
    if (packet.kind === "acknowledgement") this.#core.acknowledge(link.tag, packet.known);
    else this.#perform(this.#core.receive(link.tag, packet.bytes, packet.ageMillis, nowMillis), nowMillis);
  }

  logChange(what: string, reason: string, nowMillis: number): void {
    const change = { atMonotonicMillis: nowMillis, what, reason };
    this.#changes = [...this.#changes, change].slice(-LOGGED_CHANGES);
    this.#events.onChange(this, change);
  }

  /** For the kernel: the link of each bucket group of each flow. */
  kernelRoutes(): MeshRoutes {
    const byTag = new Map(
      this.#links.filter(({ isInterfaceUp }) => isInterfaceUp).map((link) => [link.tag, link.spec.linkId]),
    );
    return {
      spec: this.#spec,
      routes: this.#core.routes.map(({ buyer, trafficClass, destination, bucketGroups }) => ({
        buyer,
        trafficClass,
        destination,
        bucketGroups: bucketGroups.map((tag) => byTag.get(tag) ?? null),
      })),
    };
  }

  #perform(effects: readonly Effect[], nowMillis: number): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "send":
          this.#linkOf(effect.tag)?.socket?.send(encodeAdvertisement(effect.ageMillis, effect.bytes));
          break;
        case "acknowledge":
          this.#linkOf(effect.tag)?.socket?.send(encodeAcknowledgement(this.#spec.meshId, effect.known));
          break;
        case "routes":
          this.#events.onRoutes(this);
          for (const change of effect.changes) this.logChange(describe(change), change.route.reason, nowMillis);
          break;
        case "incarnation":
          this.#events.onIncarnation(effect.incarnation);
          break;
        case "duplicate":
          this.#events.onDuplicate(this);
          break;
      }
    }
    this.#recomputeSoon();
  }

  /** At the end of this turn of the event loop, so that a batch of advertisements costs one computation. */
  #recomputeSoon(): void {
    if (this.#isRecomputeScheduled || !this.#core.needsRecompute) return;
    this.#isRecomputeScheduled = true;
    setImmediate(() => {
      this.#isRecomputeScheduled = false;
      const nowMillis = monotonicMillis();
      this.#perform(this.#core.recompute(nowMillis), nowMillis);
    });
  }

  #linkOf(tag: string): Link | undefined {
    return this.#links.find((link) => link.tag === tag);
  }
}

function describe({ route, previous }: RouteChange): string {
  const to = `${route.trafficClass} traffic of ${route.buyer} to ${route.destination}`;
  if (route.bucketGroups.length === 0) return `${to}: no path in the mesh any more`;
  return `${to}: ${previous.length === 0 ? "" : "moved, "}via ${route.path.join(" → ")}`;
}
