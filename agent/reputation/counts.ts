/** Counts that a score does not show: settlements, void and disputed seconds by region, credit suspensions by pair. */
import type { AuditEvent, CreditSuspended } from "./proof/events.ts";

export interface RegionCounts {
  settlementsAsSeller: number;
  settlementsAsBuyer: number;
  termSecondsAsSeller: number;
  termSecondsAsBuyer: number;
  voidSecondsAsSeller: number;
  voidSecondsAsBuyer: number;
  /** Leases with seconds that one side claimed as available and the other did not. */
  disputedAsSeller: number;
  disputedAsBuyer: number;
}

export class SettlementCounts {
  readonly regions: Map<number, RegionCounts>;
  /** The latest credit suspension of each pair, by `lower:higher`. */
  readonly creditSuspensions: Map<string, CreditSuspended>;
  settlements: number;

  constructor(from?: {
    regions: Iterable<[number, RegionCounts]>;
    creditSuspensions: Iterable<CreditSuspended>;
    settlements: number;
  }) {
    this.regions = new Map([...(from?.regions ?? [])].map(([id, counts]) => [id, { ...counts }]));
    this.creditSuspensions = new Map(
      [...(from?.creditSuspensions ?? [])].map((suspension) => [suspensionKey(suspension), suspension]),
    );
    this.settlements = from?.settlements ?? 0;
  }

  add(found: AuditEvent): void {
    if (found.kind === "credit-suspended") {
      this.creditSuspensions.set(suspensionKey(found.event), found.event);
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

  of(region: number): RegionCounts {
    const known = this.regions.get(region);
    if (known) return known;
    const fresh: RegionCounts = {
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

function suspensionKey({ lower, higher }: CreditSuspended): string {
  return `${lower}:${higher}`;
}
