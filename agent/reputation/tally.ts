/** Counts beside the scores, by region: settlements, void and disputed seconds, credit suspensions. */
import type { AuditEvent, CreditSuspended } from "./proof/events.ts";

export interface RegionTally {
  settlementsAsSeller: number;
  settlementsAsBuyer: number;
  termSecondsAsSeller: number;
  termSecondsAsBuyer: number;
  voidSecondsAsSeller: number;
  voidSecondsAsBuyer: number;
  /** Leases of which some seconds were claimed by one side and denied by the other. */
  disputedAsSeller: number;
  disputedAsBuyer: number;
}

export class Tally {
  readonly regions: Map<number, RegionTally>;
  /** Latest credit suspension of each pair, by `lower:higher`. */
  readonly creditSuspensions: Map<string, CreditSuspended>;
  settlements: number;

  constructor(from?: {
    regions: Iterable<[number, RegionTally]>;
    creditSuspensions: Iterable<CreditSuspended>;
    settlements: number;
  }) {
    this.regions = new Map([...(from?.regions ?? [])].map(([id, tally]) => [id, { ...tally }]));
    this.creditSuspensions = new Map([...(from?.creditSuspensions ?? [])].map((found) => [pairKey(found), found]));
    this.settlements = from?.settlements ?? 0;
  }

  add(found: AuditEvent): void {
    if (found.kind === "credit-suspended") {
      this.creditSuspensions.set(pairKey(found.event), found.event);
      return;
    }
    const [seller, buyer] = [this.of(found.event.seller), this.of(found.event.buyer)];
    if (found.kind === "recorded") {
      this.settlements++;
      seller.settlementsAsSeller++;
      buyer.settlementsAsBuyer++;
      return;
    }
    const { termSeconds, voidSeconds, disputedSeconds } = found.event;
    seller.termSecondsAsSeller += termSeconds;
    buyer.termSecondsAsBuyer += termSeconds;
    seller.voidSecondsAsSeller += voidSeconds;
    buyer.voidSecondsAsBuyer += voidSeconds;
    if (disputedSeconds > 0) seller.disputedAsSeller++;
    if (disputedSeconds > 0) buyer.disputedAsBuyer++;
  }

  of(region: number): RegionTally {
    const known = this.regions.get(region);
    if (known) return known;
    const fresh: RegionTally = {
      settlementsAsSeller: 0,
      settlementsAsBuyer: 0,
      termSecondsAsSeller: 0,
      termSecondsAsBuyer: 0,
      voidSecondsAsSeller: 0,
      voidSecondsAsBuyer: 0,
      disputedAsSeller: 0,
      disputedAsBuyer: 0,
    };
    this.regions.set(region, fresh);
    return fresh;
  }
}

function pairKey({ lower, higher }: CreditSuspended): string {
  return `${lower}:${higher}`;
}
