/**
 * A discrete-event simulator that drives many instances of the very routing core that runs in meshd: links with delay
 * and loss, cuts that both ends notice late, crashes, partitions. Time is a number; nothing waits.
 */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { type Effect, RoutingCore } from "../../../agent/meshd/routing/core.ts";
import type { Acknowledgement } from "../../../agent/meshd/routing/flooding.ts";
import type { LsaLink } from "../../../agent/meshd/routing/lsa.ts";
import type { Route } from "../../../agent/meshd/routing/routes.ts";
import type { MeshId, RegionId } from "../../../agent/model/ids.ts";

export interface SimLink {
  readonly a: number;
  readonly b: number;
  readonly tag: string;
  rttMicros: number;
  lossPpm: number;
  kbps: number;
  up: boolean;
  readonly buyers: readonly number[];
}

interface SimNode {
  readonly id: number;
  core: RoutingCore;
  readonly keys: { readonly privateKey: KeyObject; readonly publicKey: KeyObject };
  /** Tags of links that this node believes to be up. */
  readonly believes: Set<string>;
  incarnation: number;
  alive: boolean;
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
  readonly links: readonly Omit<SimLink, "tag" | "up" | "buyers">[];
  readonly mayCross?: readonly number[];
  readonly detectMillis?: number;
  /** From 0 up to 1, for loss of messages. */
  readonly random?: () => number;
}

export class Simulator {
  nowMillis = 0;
  readonly nodes: SimNode[] = [];
  readonly links: SimLink[];
  readonly changes: { readonly atMillis: number; readonly node: number; readonly reason: string }[] = [];
  readonly #events: Event[] = [];
  readonly #mayCross: ReadonlySet<RegionId>;
  readonly #detectMillis: number;
  readonly #random: () => number;
  messages = 0;
  #order = 0;

  constructor(options: SimOptions) {
    this.#detectMillis = options.detectMillis ?? 150;
    this.#random = options.random ?? (() => 0.999_999);
    this.links = options.links.map((link, index) => ({
      ...link,
      tag: index.toString(16).padStart(16, "0"),
      up: true,
      buyers: [BUYER],
    }));
    const all = Array.from({ length: options.nodes }, (_, index) => index + 1);
    this.#mayCross = new Set((options.mayCross ?? all).map((id) => id as RegionId));
    for (const id of all) this.nodes.push(this.#node(id));
    for (const node of this.nodes) this.#configure(node);
    for (const link of this.links) for (const end of [link.a, link.b]) this.#notice(end, link.tag, true);
    for (const node of this.nodes) this.#tick(node);
  }

  node(id: number): SimNode {
    const node = this.nodes[id - 1];
    if (!node) throw new RangeError(`node ${id}`);
    return node;
  }

  routeOf(id: number, destination: number): Route | undefined {
    return this.node(id).core.routes.find((route) => route.destination === destination);
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
    node.core = this.#core(node.id, node.keys.privateKey, node.incarnation);
    this.#configure(node);
    for (const link of this.linksOf(id)) this.setUp(link, true);
    this.#tick(node);
  }

  linksOf(id: number): SimLink[] {
    return this.links.filter((link) => link.a === id || link.b === id);
  }

  /** Says their links' figures anew to all nodes. */
  remeasure(): void {
    for (const node of this.nodes) this.#tell(node);
  }

  /** Where a packet goes by the nodes' present routes: the nodes it visits. */
  walk(
    source: number,
    destination: number,
  ): { readonly path: readonly number[]; readonly end: "there" | "loop" | "none" } {
    const path = [source];
    for (let at = source; at !== destination; ) {
      const route = this.routeOf(at, destination);
      const link = route?.tag && this.links.find((each) => each.tag === route.tag);
      if (!link) return { path, end: "none" };
      at = link.a === at ? link.b : link.a;
      if (path.includes(at)) return { path: [...path, at], end: "loop" };
      path.push(at);
    }
    return { path, end: "there" };
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
    return { id, keys, believes: new Set(), incarnation: 1, alive: true, core: this.#core(id, keys.privateKey, 1) };
  }

  #core(id: number, key: KeyObject, incarnation: number): RoutingCore {
    return new RoutingCore({ meshId: MESH, self: id as RegionId, key, incarnation }, this.nowMillis);
  }

  #configure(node: SimNode): void {
    const participants = new Map(this.nodes.map(({ id, keys }) => [id as RegionId, keys.publicKey]));
    const destinations = this.nodes.map(({ id }) => id as RegionId).filter((id) => id !== node.id);
    const demands = [
      { buyer: BUYER as RegionId, trafficClass: "interactive" as const, destinations, mayCross: this.#mayCross },
    ];
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
          rttMicros: link.rttMicros,
          jitterMicros: 0,
          lossPpm: link.lossPpm,
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
      if (effect.kind === "routes") {
        for (const { route } of effect.changes) {
          this.changes.push({ atMillis: this.nowMillis, node: node.id, reason: route.reason });
        }
      } else if (effect.kind === "incarnation") node.incarnation = effect.incarnation;
      else if (effect.kind === "send") {
        this.#deliver(node, effect.tag, (peer) =>
          peer.core.receive(effect.tag, effect.bytes, effect.ageMillis, this.nowMillis),
        );
      } else if (effect.kind === "acknowledge") {
        const known: Acknowledgement = effect.known;
        this.#deliver(node, effect.tag, (peer) => {
          peer.core.acknowledged(effect.tag, known);
          return [];
        });
      }
    }
  }

  #deliver(from: SimNode, tag: string, run: (peer: SimNode) => readonly Effect[]): void {
    const link = this.links.find((each) => each.tag === tag);
    if (!link?.up) return;
    this.messages++;
    if (this.#random() < link.lossPpm / 1_000_000) return;
    const peer = this.node(link.a === from.id ? link.b : link.a);
    this.at(this.nowMillis + link.rttMicros / 2000, () => {
      if (peer.alive && link.up) this.#perform(peer, run(peer));
    });
  }
}

function sooner(a: Event, b: Event): boolean {
  return a.atMillis !== b.atMillis ? a.atMillis < b.atMillis : a.order < b.order;
}
