/**
 * The routing instance of one mesh at one node: messages and times in, advertisements and wanted routes out. No I/O and
 * no clock, so that a simulator drives many of these exactly as the real thing does.
 *
 * Effects are to be performed in the order in which they come: a repair that cannot loop is installed before anybody is
 * told. Everything else waits for `settle`, which is called once what came together has been taken in: by then the
 * neighbours were told, on the links that the packets will take, and what was heard has been passed on.
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
  /** Registered routing keys of the participants: the only origins there are. */
  readonly participants: ReadonlyMap<RegionId, KeyObject>;
  readonly demands: readonly Demand[];
}

export type Effect =
  | { readonly kind: "send"; readonly tag: string; readonly ageMillis: number; readonly bytes: Buffer }
  | { readonly kind: "acknowledge"; readonly tag: string; readonly known: Acknowledgement }
  | { readonly kind: "routes"; readonly changes: readonly RouteChange[] }
  | { readonly kind: "incarnation"; readonly incarnation: number }
  /** Another process runs with our key, and ran before us. */
  | { readonly kind: "duplicate" };

/** New advertisements that one origin may cause, and that one link may bring. */
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
  #lookAgainMillis: number | null = null;
  #isStale = true;

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
    this.#isStale = true;
    return this.#speak(nowMillis);
  }

  /** Our links that may be used this instant, with their figures; any other one is down. */
  setLinks(links: readonly LsaLink[], nowMillis: number): readonly Effect[] {
    const before = new Set(this.#links.keys());
    this.#links.clear();
    for (const link of links.toSorted((a, b) => (a.tag < b.tag ? -1 : 1))) {
      this.#links.set(link.tag, link);
      if (!before.delete(link.tag)) this.#flooding.addLink(link.tag, this.#database.entries());
    }
    for (const tag of before) this.#flooding.removeLink(tag);
    if (before.size === 0) return this.#speak(nowMillis);
    this.#isStale = true;
    const changes = this.#table.repair(new Set(this.#links.keys()));
    return [...this.#routesChanged(changes), ...this.#speak(nowMillis)];
  }

  /** Whether `settle` has something to do. */
  get isStale(): boolean {
    return this.#isStale;
  }

  /** Computes the routes from what is known now. */
  settle(nowMillis: number): readonly Effect[] {
    if (!this.#isStale) return [];
    this.#isStale = false;
    const { changes, lookAgainMillis } = this.#table.compute(this.#database, new Set(this.#links.keys()), nowMillis);
    this.#lookAgainMillis = lookAgainMillis;
    return this.#routesChanged(changes);
  }

  receive(tag: string, bytes: Buffer, ageMillis: number, nowMillis: number): readonly Effect[] {
    // A neighbour may see the link before we do; what it says is signed, and as good.
    const lsa = decodeLsa(bytes);
    if (!lsa) return this.#refuse("malformed", tag);
    if (lsa.meshId !== this.#options.meshId) return this.#refuse("otherMesh", tag);
    const key = this.#participants.get(lsa.origin);
    if (!key) return this.#refuse("unknownOrigin", tag);
    const known = this.#database.get(lsa);
    if (known && !isNewer(lsa, known.signed.lsa)) {
      if (isNewer(known.signed.lsa, lsa)) this.#refuse("outdated", tag);
      // Whoever is behind is told; whoever repeats itself is calmed.
      if (isNewer(known.signed.lsa, lsa) && !known.dead) this.#flooding.tell(tag, lsa);
      this.#flooding.acknowledged(tag, lsa, this.#database);
      return [{ kind: "acknowledge", tag, known: known.signed.lsa }, ...this.#flood(nowMillis)];
    }
    // The dead are not passed on: no honest neighbour says such an age.
    if (ageMillis >= MAX_AGE_MILLIS) return this.#refuse("outdated", tag);
    // Checking a signature costs; and a neighbour that forges must not use up what an honest origin may say.
    if (!this.#mayStillCome(`link ${tag}`, LINK_RATE, nowMillis)) return this.#refuse("rateLimited", tag);
    if (!(this.#options.verify ?? verifyLsa)(bytes, key)) return this.#refuse("badSignature", tag);
    if (!this.#mayStillCome(`origin ${lsa.origin}`, ORIGIN_RATE, nowMillis)) return this.#refuse("rateLimited", tag);
    const acknowledge: Effect = { kind: "acknowledge", tag, known: lsa };
    if (lsa.origin === this.#options.self) return [acknowledge, ...this.#heardOurself(lsa, nowMillis)];
    this.#database.store({ lsa, bytes }, Math.max(0, ageMillis), nowMillis);
    if (known && lsa.incarnation > known.signed.lsa.incarnation) this.#tellAnew(lsa.origin);
    this.#flooding.acknowledged(tag, lsa, this.#database);
    this.#flooding.tellAll(lsa, tag);
    this.#isStale = true;
    return [acknowledge, ...this.#flood(nowMillis)];
  }

  acknowledged(tag: string, known: Acknowledgement): void {
    this.#flooding.acknowledged(tag, known, this.#database);
  }

  /**
   * Before an orderly end: the others are told that no path leads through here any more, while we still carry what is
   * on its way.
   */
  retire(nowMillis: number): readonly Effect[] {
    this.#origin.leave();
    return this.#speak(nowMillis);
  }

  /** The last word: no link of ours is to be used, so that nobody needs to find out by silence. */
  withdraw(nowMillis: number): readonly Effect[] {
    this.#tell(this.#origin.say([], nowMillis), nowMillis);
    return this.#flood(nowMillis);
  }

  /** To be called every so often: repetitions, refreshment, old age, held improvements. */
  tick(nowMillis: number): readonly Effect[] {
    const died = this.#database.expire(nowMillis);
    const look = this.#lookAgainMillis !== null && nowMillis >= this.#lookAgainMillis;
    if (died.length > 0 || look) this.#isStale = true;
    return this.#speak(nowMillis);
  }

  /** A neighbour that started anew knows nothing, even where it was back before its links looked down. */
  #tellAnew(neighbour: RegionId): void {
    for (const { tag, peer } of this.#links.values()) {
      if (peer !== neighbour) continue;
      this.#flooding.removeLink(tag);
      this.#flooding.addLink(tag, this.#database.entries());
    }
  }

  #heardOurself(lsa: SignedLsa["lsa"], nowMillis: number): readonly Effect[] {
    this.#origin.jumpPast(lsa);
    this.#clashes = [...this.#clashes, nowMillis].filter((at) => nowMillis - at < CLASH_WINDOW_MILLIS);
    const effects: Effect[] = [{ kind: "incarnation", incarnation: this.#origin.incarnation }];
    const firstClash = this.#clashes[0] ?? nowMillis;
    const clashing = this.#clashes.length >= CLASHES && nowMillis - firstClash > 1_000;
    if (clashing && firstClash - this.#startedAt < CLASH_WINDOW_MILLIS) effects.push({ kind: "duplicate" });
    return [...effects, ...this.#speak(nowMillis)];
  }

  /** Says of our links what has to be said, and repeats what was not acknowledged. */
  #speak(nowMillis: number): readonly Effect[] {
    const said = this.#origin.say([...this.#links.values()], nowMillis);
    this.#tell(said, nowMillis);
    return this.#flood(nowMillis);
  }

  #tell(said: readonly SignedLsa[], nowMillis: number): void {
    for (const signed of said) {
      this.#database.store(signed, 0, nowMillis);
      this.#flooding.tellAll(signed.lsa, null);
      this.#isStale = true;
    }
  }

  #routesChanged(changes: readonly RouteChange[]): readonly Effect[] {
    return changes.length === 0 ? [] : [{ kind: "routes", changes }];
  }

  #flood(nowMillis: number): readonly Effect[] {
    return this.#flooding.due(this.#database, nowMillis).map(({ tag, entry }) => ({
      kind: "send",
      tag,
      ageMillis: ageOf(entry, nowMillis),
      bytes: entry.signed.bytes,
    }));
  }

  #mayStillCome(what: string, rate: Rate, nowMillis: number): boolean {
    const bucket = this.#rates.get(what) ?? new TokenBucket(rate, nowMillis);
    this.#rates.set(what, bucket);
    return bucket.take(nowMillis);
  }

  #refuse(reason: RefusalReason, tag: string): readonly Effect[] {
    this.refusals.count(reason, tag);
    return [];
  }
}

/** A little more at every hop, so that nothing goes in circles for ever. */
function ageOf(entry: Entry, nowMillis: number): number {
  return Math.min(0xffff_ffff, Math.max(0, Math.round(nowMillis - entry.bornMillis)) + 1);
}
