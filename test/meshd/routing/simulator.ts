/**
 * A discrete-event simulator that drives many instances of the very routing core that runs in meshd: links with delay,
 * jitter and loss, cuts that the ends notice late, crashes, partitions, stalls, origins that lie. Time is a number;
 * nothing waits. It watches every change of routes for loops, as packets of any flow would find them.
 */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { type Effect, RoutingCore } from "../../../agent/meshd/routing/core.ts";
import type { Acknowledgement } from "../../../agent/meshd/routing/flooding.ts";
import { ATTRIBUTE, type LsaLink, verifyLsa } from "../../../agent/meshd/routing/lsa.ts";
import type { Route, RouteChange } from "../../../agent/meshd/routing/routes.ts";
import type { MeshId, RegionId } from "../../../agent/model/ids.ts";
import type { TrafficClass } from "../../../agent/model/traffic-class.ts";

export interface SimLink {
  readonly a: number;
  readonly b: number;
  readonly tag: string;
  rttMicros: number;
  lossPpm: number;
  kbps: number;
  up: boolean;
  readonly buyers: readonly number[];
  readonly attributes: number;
}

interface SimNode {
  readonly id: number;
  core: RoutingCore;
  readonly keys: { readonly privateKey: KeyObject; readonly publicKey: KeyObject };
  /** Tags of links that this node believes to be up. */
  readonly believes: Set<string>;
  incarnation: number;
  alive: boolean;
  /** What its kernel holds: by class and destination. */
  readonly installed: Map<string, Route>;
  stalledUntil: number;
  /** It says that its links take so many times as long as they do. */
  exaggerates: number;
  settling: boolean;
}

/** Packets of some flow to `destination` went in circles. */
export interface Loop {
  readonly trafficClass: TrafficClass;
  readonly destination: number;
  readonly sinceMillis: number;
  readonly lastedMillis: number;
}

interface Event {
  readonly atMillis: number;
  readonly order: number;
  readonly run: () => void;
}

export const BUYER = 1;
const MESH = 1 as MeshId;
const TICK_MILLIS = 50;
const keyPool: SimNode["keys"][] = [];

export interface SimOptions {
  readonly nodes: number;
  readonly links: readonly (Omit<SimLink, "tag" | "up" | "buyers" | "attributes"> & { readonly attributes?: number })[];
  readonly classes?: readonly TrafficClass[];
  readonly required?: number;
  readonly mayCross?: readonly number[];
  readonly detectMillis?: number;
  /** From 0 up to 1, for loss and jitter of messages. */
  readonly random?: () => number;
  /** Messages are late by up to this, and overtake one another. */
  readonly jitterMillis?: number;
  /** From hearing something to having computed what follows. */
  readonly computeMillis?: number;
}

/** The same bytes are checked once, however many nodes of one process hear them. */
const verdicts = new WeakMap<Buffer, boolean>();
function verifyOnce(bytes: Buffer, key: KeyObject): boolean {
  const known = verdicts.get(bytes);
  if (known !== undefined) return known;
  const verdict = verifyLsa(bytes, key);
  verdicts.set(bytes, verdict);
  return verdict;
}

export class Simulator {
  nowMillis = 0;
  readonly nodes: SimNode[] = [];
  readonly links: SimLink[];
  readonly changes: { readonly atMillis: number; readonly node: number; readonly reason: string }[] = [];
  readonly loops: Loop[] = [];
  readonly #open = new Map<string, Omit<Loop, "lastedMillis">>();
  readonly #byTag: ReadonlyMap<string, SimLink>;
  readonly #byNode = new Map<number, SimLink[]>();
  readonly #options: SimOptions;
  /** Called after every change of any node's routes. */
  onRoutes: () => void = () => {};
  /** From hearing something to having computed what follows. */
  computeMillis: number;
  /** Processor time of each computation of routes, in real milliseconds: other work on the machine does not count. */
  readonly computations: number[] = [];
  bytes = 0;
  readonly #events: Event[] = [];
  readonly #mayCross: ReadonlySet<RegionId>;
  readonly #detectMillis: number;
  readonly #random: () => number;
  messages = 0;
  #order = 0;

  constructor(options: SimOptions) {
    this.#options = options;
    this.computeMillis = options.computeMillis ?? 0;
    this.#detectMillis = options.detectMillis ?? 150;
    this.#random = options.random ?? (() => 0.999_999);
    this.links = options.links.map((link, index) => ({
      attributes: ATTRIBUTE.postQuantum,
      ...link,
      tag: index.toString(16).padStart(16, "0"),
      up: true,
      buyers: [BUYER],
    }));
    this.#byTag = new Map(this.links.map((link) => [link.tag, link]));
    const all = Array.from({ length: options.nodes }, (_, index) => index + 1);
    for (const id of all) {
      this.#byNode.set(
        id,
        this.links.filter((link) => link.a === id || link.b === id),
      );
    }
    this.#mayCross = new Set((options.mayCross ?? all).map((id) => id as RegionId));
    for (const id of all) this.nodes.push(this.#node(id));
    for (const node of this.nodes) this.#configure(node);
    for (const node of this.nodes) {
      for (const link of this.linksOf(node.id)) node.believes.add(link.tag);
      this.#tell(node);
    }
    for (const node of this.nodes) this.#tick(node);
  }

  node(id: number): SimNode {
    const node = this.nodes[id - 1];
    if (!node) throw new RangeError(`node ${id}`);
    return node;
  }

  routeOf(id: number, destination: number, trafficClass: TrafficClass = this.classes[0]): Route | undefined {
    return this.node(id).core.routes.find(
      (route) => route.destination === destination && route.trafficClass === trafficClass,
    );
  }

  get classes(): readonly [TrafficClass, ...TrafficClass[]] {
    const [first = "interactive", ...others] = this.#options.classes ?? [];
    return [first, ...others];
  }

  /** Runs all events up to that time. */
  until(millis: number): void {
    for (let next = this.#events[0]; next && next.atMillis <= millis; next = this.#events[0]) {
      this.#pop();
      this.nowMillis = next.atMillis;
      next.run();
    }
    this.nowMillis = millis;
  }

  /** Cuts or heals; both ends notice after their detection time. */
  setUp(link: SimLink, up: boolean): void {
    link.up = up;
    for (const end of [link.a, link.b]) {
      this.at(this.nowMillis + this.#detectMillis, () => {
        if (link.up === up) this.#notice(end, link.tag, up);
      });
    }
  }

  /** Its event loop stands still: what comes waits. */
  stall(id: number, millis: number): void {
    this.node(id).stalledUntil = this.nowMillis + millis;
  }

  /** The longest that news from `id` takes to the farthest node, over the links that are up, none of it being lost. */
  floodingMillis(id: number): number {
    const at = new Map([[id, 0]]);
    for (const [node, millis] of at) {
      for (const link of this.linksOf(node)) {
        const peer = link.a === node ? link.b : link.a;
        const there = millis + link.rttMicros / 2000 + (this.#options.jitterMillis ?? 0);
        if (!link.up || !this.node(peer).alive || there >= (at.get(peer) ?? Number.POSITIVE_INFINITY)) continue;
        // Set anew at the end, so that it is looked at again.
        at.delete(peer);
        at.set(peer, there);
      }
    }
    return Math.max(...at.values());
  }

  crash(id: number): void {
    const node = this.node(id);
    node.alive = false;
    for (const link of this.linksOf(id)) this.setUp(link, false);
  }

  /** With its incarnation from disk, and nothing else. */
  restart(id: number): void {
    const node = this.node(id);
    node.alive = true;
    node.incarnation++;
    node.believes.clear();
    node.installed.clear();
    node.settling = false;
    node.core = this.#core(node.id, node.keys.privateKey, node.incarnation);
    this.#configure(node);
    for (const link of this.linksOf(id)) {
      if (this.node(link.a).alive && this.node(link.b).alive) this.setUp(link, true);
    }
    this.#tick(node);
  }

  /** Its planned end begins. */
  retire(id: number): void {
    const node = this.node(id);
    this.#perform(node, node.core.announceNoTransit(this.nowMillis));
  }

  linksOf(id: number): SimLink[] {
    return this.#byNode.get(id) ?? [];
  }

  /** Measures its links anew; without a name every node does. */
  remeasure(id?: number): void {
    for (const node of id === undefined ? this.nodes : [this.node(id)]) this.#tell(node);
  }

  /**
   * Where packets go by the nodes' present routes. Of several next hops any may be taken, at each node another:
   * `there` means that all of them lead to the destination; `path` is the one of the first group.
   */
  walk(
    source: number,
    destination: number,
    trafficClass: TrafficClass = this.classes[0],
  ): { readonly path: readonly number[]; readonly end: "there" | "loop" | "none" } {
    const path = [source];
    for (let at = source; at !== destination; ) {
      const [next] = this.#nextHops(at, destination, trafficClass);
      if (next === undefined || next === 0) break;
      const again = path.includes(next);
      path.push(next);
      if (again) break;
      at = next;
    }
    return { path, end: this.#follow(source, destination, trafficClass, new Map()) };
  }

  /** Whether packets from all these nodes arrive, whatever next hops they take. */
  allArrive(sources: readonly number[], destination: number, trafficClass: TrafficClass): boolean {
    const seen = new Map<number, "open" | "there" | "none" | "loop">();
    return sources.every((source) => this.#follow(source, destination, trafficClass, seen) === "there");
  }

  /** Whether packets of any flow, from any node, can go in circles. */
  hasLoop(destination: number, trafficClass: TrafficClass): boolean {
    const seen = new Map<number, "open" | "there" | "none" | "loop">();
    return this.nodes.some(({ id }) => this.#follow(id, destination, trafficClass, seen) === "loop");
  }

  #follow(
    at: number,
    destination: number,
    trafficClass: TrafficClass,
    seen: Map<number, "open" | "there" | "none" | "loop">,
  ): "there" | "loop" | "none" {
    if (at === destination) return "there";
    const known = seen.get(at);
    if (known !== undefined) return known === "open" ? "loop" : known;
    seen.set(at, "open");
    const hops = this.#nextHops(at, destination, trafficClass);
    let end: "there" | "loop" | "none" = hops.length === 0 ? "none" : "there";
    for (const hop of hops) {
      const there = hop === 0 ? "none" : this.#follow(hop, destination, trafficClass, seen);
      if (there === "loop") end = "loop";
      else if (there === "none" && end === "there") end = "none";
    }
    seen.set(at, end);
    return end;
  }

  /** 0: a link that carries nothing. */
  #nextHops(at: number, destination: number, trafficClass: TrafficClass): readonly number[] {
    const bucketGroups = this.node(at).installed.get(`${trafficClass}/${destination}`)?.bucketGroups ?? [];
    return [...new Set(bucketGroups)].map((tag) => {
      const link = this.#byTag.get(tag);
      if (!link?.up) return 0;
      const peer = link.a === at ? link.b : link.a;
      return this.node(peer).alive ? peer : 0;
    });
  }

  at(millis: number, run: () => void): void {
    const event = { atMillis: millis, order: this.#order++, run };
    const events = this.#events;
    let at = events.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = events[parent];
      if (!above || !sooner(event, above)) break;
      events[at] = above;
      events[parent] = event;
      at = parent;
    }
  }

  /** A message as if the node's neighbour had sent it. */
  inject(id: number, tag: string, bytes: Buffer, ageMillis = 0): void {
    const node = this.node(id);
    this.#perform(node, node.core.receive(tag, bytes, ageMillis, this.nowMillis));
  }

  #pop(): void {
    const events = this.#events;
    const last = events.pop();
    if (!last || events.length === 0) return;
    events[0] = last;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      const a = events[left];
      const b = events[left + 1];
      const child = a && b && sooner(b, a) ? left + 1 : left;
      const least = events[child];
      const current = events[at];
      if (!least || !current || !sooner(least, current)) return;
      events[at] = least;
      events[child] = current;
      at = child;
    }
  }

  #node(id: number): SimNode {
    const keys = keyPool[id - 1] ?? generateKeyPairSync("ed25519");
    keyPool[id - 1] = keys;
    return {
      id,
      keys,
      believes: new Set(),
      incarnation: 1,
      alive: true,
      installed: new Map(),
      stalledUntil: 0,
      exaggerates: 1,
      settling: false,
      core: this.#core(id, keys.privateKey, 1),
    };
  }

  #core(id: number, key: KeyObject, incarnation: number): RoutingCore {
    const options = { meshId: MESH, self: id as RegionId, key, incarnation, verify: verifyOnce };
    return new RoutingCore(options, this.nowMillis);
  }

  #configure(node: SimNode): void {
    const participants = new Map(this.nodes.map(({ id, keys }) => [id as RegionId, keys.publicKey]));
    const destinations = this.nodes.map(({ id }) => id as RegionId).filter((id) => id !== node.id);
    const demands = this.classes.map((trafficClass) => ({
      buyer: BUYER as RegionId,
      trafficClass,
      destinations,
      mayCross: this.#mayCross,
      required: this.#options.required ?? 0,
    }));
    this.#perform(node, node.core.configure({ participants, demands }, this.nowMillis));
  }

  #notice(id: number, tag: string, up: boolean): void {
    const node = this.node(id);
    if (!node.alive) return;
    if (up) node.believes.add(tag);
    else node.believes.delete(tag);
    this.#tell(node);
  }

  #tell(node: SimNode): void {
    if (!node.alive) return;
    const links = this.linksOf(node.id)
      .filter((link) => node.believes.has(link.tag))
      .map(
        (link): LsaLink => ({
          tag: link.tag,
          peer: (link.a === node.id ? link.b : link.a) as RegionId,
          rttMicros: link.rttMicros * node.exaggerates,
          jitterMicros: 0,
          lossPpm: link.lossPpm,
          observedKbps: 0,
          attributes: link.attributes,
          shares: link.buyers.map((buyer) => ({ buyer: buyer as RegionId, kbps: link.kbps })),
        }),
      );
    this.#perform(node, node.core.setLinks(links, this.nowMillis));
  }

  #tick(node: SimNode): void {
    const { core } = node;
    this.at(this.nowMillis + TICK_MILLIS, () => {
      if (!node.alive || node.core !== core) return;
      this.#perform(node, core.tick(this.nowMillis));
      this.#tick(node);
    });
  }

  #perform(node: SimNode, effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === "routes") this.#install(node, effect.changes);
      else if (effect.kind === "incarnation") node.incarnation = effect.incarnation;
      else if (effect.kind === "send") {
        this.bytes += effect.bytes.length + 8;
        this.#deliver(node, effect.tag, (peer) =>
          peer.core.receive(effect.tag, effect.bytes, effect.ageMillis, this.nowMillis),
        );
      } else if (effect.kind === "acknowledge") {
        const known: Acknowledgement = effect.known;
        this.#deliver(node, effect.tag, (peer) => {
          peer.core.acknowledge(effect.tag, known);
          return [];
        });
      }
    }
    this.#recomputeSoon(node);
  }

  #install(node: SimNode, changes: readonly RouteChange[]): void {
    for (const { route } of changes) {
      this.changes.push({ atMillis: this.nowMillis, node: node.id, reason: route.reason });
      node.installed.set(`${route.trafficClass}/${route.destination}`, route);
    }
    for (const { route } of changes) this.#watch(route.destination, route.trafficClass);
    this.onRoutes();
  }

  #watch(destination: number, trafficClass: TrafficClass): void {
    const key = `${trafficClass}/${destination}`;
    const open = this.#open.get(key);
    const loops = this.hasLoop(destination, trafficClass);
    if (loops && !open) this.#open.set(key, { trafficClass, destination, sinceMillis: this.nowMillis });
    if (loops || !open) return;
    this.#open.delete(key);
    const lastedMillis = this.nowMillis - open.sinceMillis;
    // Routes of several nodes that turn in one instant are no loop in between.
    if (lastedMillis > 0) this.loops.push({ ...open, lastedMillis });
  }

  /** Loops that there still are. */
  get openLoops(): readonly Omit<Loop, "lastedMillis">[] {
    for (const { destination, trafficClass } of [...this.#open.values()]) this.#watch(destination, trafficClass);
    return [...this.#open.values()];
  }

  #recomputeSoon(node: SimNode): void {
    const { core } = node;
    if (node.settling || !core.needsRecompute) return;
    node.settling = true;
    this.at(this.nowMillis + this.computeMillis, () => {
      if (node.core !== core) return;
      node.settling = false;
      if (!node.alive) return;
      const begun = process.threadCpuUsage();
      const effects = core.recompute(this.nowMillis);
      const { user, system } = process.threadCpuUsage(begun);
      this.computations.push((user + system) / 1000);
      this.#perform(node, effects);
    });
  }

  #deliver(from: SimNode, tag: string, run: (peer: SimNode) => readonly Effect[]): void {
    const link = this.#byTag.get(tag);
    if (!link?.up) return;
    this.messages++;
    if (this.#random() < link.lossPpm / 1_000_000) return;
    const peer = this.node(link.a === from.id ? link.b : link.a);
    const jitterMillis = this.#options.jitterMillis ? this.#random() * this.#options.jitterMillis : 0;
    const arrive = (): void => {
      if (!peer.alive || !link.up) return;
      if (peer.stalledUntil > this.nowMillis) this.at(peer.stalledUntil, arrive);
      else this.#perform(peer, run(peer));
    };
    this.at(this.nowMillis + link.rttMicros / 2000 + jitterMillis, arrive);
  }
}

function sooner(a: Event, b: Event): boolean {
  return a.atMillis !== b.atMillis ? a.atMillis < b.atMillis : a.order < b.order;
}
