/**
 * The routing instance of one mesh at one node: messages and times in, advertisements and routes out. No I/O and no
 * clock, so that a simulator can run many of them.
 *
 * Effects must be performed in order: a loop-free repair is installed before it is flooded. All other route changes wait
 * for `recompute`, which the caller runs once after a batch of messages: by then every advertisement has been forwarded.
 */
import type { KeyObject } from "node:crypto";
import type { MeshId, RegionId } from "../../model/ids.ts";
import { type Rate, TokenBucket } from "../../model/token-bucket.ts";
import { Database, type Entry, MAX_AGE_MILLIS } from "./database.ts";
import { type Acknowledgement, Flooding } from "./flooding.ts";
import { decodeLsa, isNewer, type LsaLink, type SignedLsa, verifyLsa } from "./lsa.ts";
import { Origin } from "./origin.ts";
import { type RefusalReason, Refusals } from "./refusals.ts";
import { type Demand, type Route, type RouteChange, RouteTable } from "./routes.ts";

export interface CoreOptions {
  readonly meshId: MeshId;
  readonly self: RegionId;
  readonly key: KeyObject;
  readonly incarnation: number;
  /** Whether the bytes carry the signature of the key's owner; by default Ed25519. */
  readonly verify?: (bytes: Buffer, key: KeyObject) => boolean;
}

export interface CoreSettings {
  /** Registered routing keys of the participants: no other origin is accepted. */
  readonly participants: ReadonlyMap<RegionId, KeyObject>;
  readonly demands: readonly Demand[];
}

export type Effect =
  | { readonly kind: "send"; readonly tag: string; readonly ageMillis: number; readonly bytes: Buffer }
  | { readonly kind: "acknowledge"; readonly tag: string; readonly known: Acknowledgement }
  | { readonly kind: "routes"; readonly changes: readonly RouteChange[] }
  | { readonly kind: "incarnation"; readonly incarnation: number }
  /** Another process uses our routing key, and started before us. */
  | { readonly kind: "duplicate" };

/** Limits on new advertisements, per origin and per link. */
const ORIGIN_RATE = { perSecond: 10, burst: 80 };
const LINK_RATE = { perSecond: 300, burst: 1_000 };
const CLASH_WINDOW_MILLIS = 30_000;
const CLASHES = 5;

export class RoutingCore {
  readonly refusals = new Refusals();
  readonly #options: CoreOptions;
  readonly #database = new Database();
  readonly #flooding = new Flooding();
  readonly #origin: Origin;
  readonly #table: RouteTable;
  readonly #links = new Map<string, LsaLink>();
  readonly #rates = new Map<string, TokenBucket>();
  #participants: ReadonlyMap<RegionId, KeyObject> = new Map();
  readonly #startedAt: number;
  #clashes: number[] = [];
  #recomputeAtMillis: number | null = null;
  #needsRecompute = true;

  constructor(options: CoreOptions, nowMillis: number) {
    this.#options = options;
    this.#startedAt = nowMillis;
    this.#origin = new Origin(options);
    this.#table = new RouteTable(options.self);
  }

  get routes(): readonly Route[] {
    return this.#table.routes;
  }
  get database(): Database {
    return this.#database;
  }

  configure(settings: CoreSettings, nowMillis: number): readonly Effect[] {
    this.#participants = settings.participants;
    this.#database.retain(new Set(settings.participants.keys()));
    this.#table.setDemands(settings.demands);
    this.#needsRecompute = true;
    return this.#originateAndFlood(nowMillis);
  }

  /** This node's usable links with their metrics; every other link is down. Tags as in LsaLink. */
  setLinks(links: readonly LsaLink[], nowMillis: number): readonly Effect[] {
    const before = new Set(this.#links.keys());
    this.#links.clear();
    for (const link of links.toSorted((a, b) => (a.tag < b.tag ? -1 : 1))) {
      this.#links.set(link.tag, link);
      if (!before.delete(link.tag)) this.#flooding.addLink(link.tag, this.#database.entries());
    }
    for (const tag of before) this.#flooding.removeLink(tag);
    if (before.size === 0) return this.#originateAndFlood(nowMillis);
    this.#needsRecompute = true;
    const changes = this.#table.repair(new Set(this.#links.keys()));
    return [...this.#routesChanged(changes), ...this.#originateAndFlood(nowMillis)];
  }

  /** Whether `recompute` has work to do. */
  get needsRecompute(): boolean {
    return this.#needsRecompute;
  }

  /** Computes the routes from the database. */
  recompute(nowMillis: number): readonly Effect[] {
    if (!this.#needsRecompute) return [];
    this.#needsRecompute = false;
    const { changes, recomputeAtMillis } = this.#table.compute(this.#database, new Set(this.#links.keys()), nowMillis);
    this.#recomputeAtMillis = recomputeAtMillis;
    return this.#routesChanged(changes);
  }

  /** An advertisement from the neighbour on link `tag`; one that is refused is counted in `refusals`. */
  receive(tag: string, bytes: Buffer, ageMillis: number, nowMillis: number): readonly Effect[] {
    // Also on a link that is not up at this end yet: the signature is what counts.
    const lsa = decodeLsa(bytes);
    if (!lsa) return this.#refuse("malformed", tag);
    if (lsa.meshId !== this.#options.meshId) return this.#refuse("otherMesh", tag);
    const key = this.#participants.get(lsa.origin);
    if (!key) return this.#refuse("unknownOrigin", tag);
    const known = this.#database.get(lsa);
    if (known && !isNewer(lsa, known.signed.lsa)) {
      if (isNewer(known.signed.lsa, lsa)) this.#refuse("outdated", tag);
      // A neighbour with an older one gets the newer; a repetition is acknowledged again.
      if (isNewer(known.signed.lsa, lsa) && !known.dead) this.#flooding.enqueue(tag, lsa);
      this.#flooding.acknowledge(tag, lsa, this.#database);
      return [{ kind: "acknowledge", tag, known: known.signed.lsa }, ...this.#flood(nowMillis)];
    }
    // An honest neighbour never forwards an expired one.
    if (ageMillis >= MAX_AGE_MILLIS) return this.#refuse("outdated", tag);
    // The link's limit bounds signature checks; the origin's comes after, so that forgeries cannot use it up.
    if (!this.#takeToken(`link ${tag}`, LINK_RATE, nowMillis)) return this.#refuse("rateLimited", tag);
    if (!(this.#options.verify ?? verifyLsa)(bytes, key)) return this.#refuse("badSignature", tag);
    if (!this.#takeToken(`origin ${lsa.origin}`, ORIGIN_RATE, nowMillis)) return this.#refuse("rateLimited", tag);
    const acknowledge: Effect = { kind: "acknowledge", tag, known: lsa };
    if (lsa.origin === this.#options.self) return [acknowledge, ...this.#receiveOwn(lsa, nowMillis)];
    this.#database.store({ lsa, bytes }, Math.max(0, ageMillis), nowMillis);
    if (known && lsa.incarnation > known.signed.lsa.incarnation) this.#resynchronise(lsa.origin);
    this.#flooding.acknowledge(tag, lsa, this.#database);
    this.#flooding.enqueueAll(lsa, tag);
    this.#needsRecompute = true;
    return [acknowledge, ...this.#flood(nowMillis)];
  }

  acknowledge(tag: string, known: Acknowledgement): void {
    this.#flooding.acknowledge(tag, known, this.#database);
  }

  /** First step of an orderly end: other nodes route around this one, which still forwards what is on its way. */
  announceNoTransit(nowMillis: number): readonly Effect[] {
    this.#origin.setNoTransit();
    return this.#originateAndFlood(nowMillis);
  }

  /** Last step of an orderly end: advertises no links, so that no neighbour has to wait for missing probes. */
  announceNoLinks(nowMillis: number): readonly Effect[] {
    this.#install(this.#origin.originate([], nowMillis), nowMillis);
    return this.#flood(nowMillis);
  }

  /** To be called at each probe interval: retransmits, refreshes, expires, and decides held improvements. */
  tick(nowMillis: number): readonly Effect[] {
    const died = this.#database.expire(nowMillis);
    const look = this.#recomputeAtMillis !== null && nowMillis >= this.#recomputeAtMillis;
    if (died.length > 0 || look) this.#needsRecompute = true;
    return this.#originateAndFlood(nowMillis);
  }

  /** Sends everything to a neighbour that restarted, since its database is empty. */
  #resynchronise(neighbour: RegionId): void {
    for (const { tag, peer } of this.#links.values()) {
      if (peer !== neighbour) continue;
      this.#flooding.removeLink(tag);
      this.#flooding.addLink(tag, this.#database.entries());
    }
  }

  #receiveOwn(lsa: SignedLsa["lsa"], nowMillis: number): readonly Effect[] {
    this.#origin.advancePast(lsa);
    this.#clashes = [...this.#clashes, nowMillis].filter((at) => nowMillis - at < CLASH_WINDOW_MILLIS);
    const effects: Effect[] = [{ kind: "incarnation", incarnation: this.#origin.incarnation }];
    const firstClash = this.#clashes[0] ?? nowMillis;
    const clashing = this.#clashes.length >= CLASHES && nowMillis - firstClash > 1_000;
    if (clashing && firstClash - this.#startedAt < CLASH_WINDOW_MILLIS) effects.push({ kind: "duplicate" });
    return [...effects, ...this.#originateAndFlood(nowMillis)];
  }

  /** Originates new advertisements if needed, and retransmits what was not acknowledged. */
  #originateAndFlood(nowMillis: number): readonly Effect[] {
    const originated = this.#origin.originate([...this.#links.values()], nowMillis);
    this.#install(originated, nowMillis);
    return this.#flood(nowMillis);
  }

  #install(originated: readonly SignedLsa[], nowMillis: number): void {
    for (const signed of originated) {
      this.#database.store(signed, 0, nowMillis);
      this.#flooding.enqueueAll(signed.lsa, null);
      this.#needsRecompute = true;
    }
  }

  #routesChanged(changes: readonly RouteChange[]): readonly Effect[] {
    return changes.length === 0 ? [] : [{ kind: "routes", changes }];
  }

  #flood(nowMillis: number): readonly Effect[] {
    return this.#flooding.takeDue(this.#database, nowMillis).map(({ tag, entry }) => ({
      kind: "send",
      tag,
      ageMillis: ageOf(entry, nowMillis),
      bytes: entry.signed.bytes,
    }));
  }

  #takeToken(what: string, rate: Rate, nowMillis: number): boolean {
    const bucket = this.#rates.get(what) ?? new TokenBucket(rate, nowMillis);
    this.#rates.set(what, bucket);
    return bucket.take(nowMillis);
  }

  #refuse(reason: RefusalReason, tag: string): readonly Effect[] {
    this.refusals.count(reason, tag);
    return [];
  }
}

/** At least 1 ms more at every hop, so that no advertisement circulates for ever. */
function ageOf(entry: Entry, nowMillis: number): number {
  return Math.min(0xffff_ffff, Math.max(0, Math.round(nowMillis - entry.bornMillis)) + 1);
}
