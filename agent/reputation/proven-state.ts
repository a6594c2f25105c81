/** Compares what the contracts store under a state root, proved by trie nodes, with what the events give. */
import { type Hex, hexToBytes, toHex } from "viem";
import type { SettlementCounts } from "./counts.ts";
import { creditText, type Deviation } from "./deviation.ts";
import { keccak } from "./proof/keccak.ts";
import { bytesOf, decodeRlp, decodeScalar, listOf } from "./proof/rlp.ts";
import { creditOf, regionCountOf, shortStringOf, storageSlots } from "./proof/storage.ts";
import { lookUp } from "./proof/trie.ts";
import { type RebuiltReputation, sameCredit } from "./rebuild.ts";
import { type Credit, NEWCOMER } from "./rule.ts";

/** The parameters of an `eth_getProof` call. */
export interface ProofRequest {
  readonly address: Hex;
  readonly storageKeys: readonly Hex[];
}

/** What the events give, and for which region; null: for all. */
interface Expected {
  readonly terms: { readonly reputation: Hex; readonly membership: Hex };
  readonly region: number | null;
  readonly rebuilt: Pick<RebuiltReputation, "sellers" | "pairs">;
  readonly counts: Pick<SettlementCounts, "creditSuspensions">;
}

interface StoredValue {
  readonly what: string;
  readonly storageSlot: Hex;
  readonly expected: Credit | number;
}

export class ProvenState {
  readonly nodes = new Map<Hex, Uint8Array>();
  #rounds = 0;

  /** Two rounds: the number of regions, then the values of each region. An empty answer ends the rounds. */
  neededProofs(stateRoot: Hex, of: Expected): ProofRequest[] {
    const { membership, reputation } = of.terms;
    const { region } = of;
    this.#rounds++;
    if (this.#rounds === 1 && region === null)
      return [
        { address: membership, storageKeys: [storageSlots.regionCount()] },
        { address: reputation, storageKeys: [] },
      ];
    if (this.#rounds > (region === null ? 2 : 1)) return [];
    const regions = this.regions(stateRoot, of);
    return [
      { address: membership, storageKeys: regions.map(storageSlots.regionName) },
      { address: reputation, storageKeys: expectedValues(of, regions).map(({ storageSlot }) => storageSlot) },
    ];
  }

  /** The audited region, or all that are registered or have settlements; empty if their number is not proved. */
  regions(stateRoot: Hex, of: Expected): number[] {
    try {
      return this.#regions(stateRoot, of);
    } catch {
      return [];
    }
  }

  /** Null if the name is empty or does not fit one storage slot (31 bytes). @throws Error if it is not proved. */
  nameOf(stateRoot: Hex, membership: Hex, region: number): string | null {
    return shortStringOf(this.#read(stateRoot, membership, storageSlots.regionName(region))) || null;
  }

  /** A seller's stored credit. @throws Error if it is not proved. */
  credit(stateRoot: Hex, reputation: Hex, region: number): Credit {
    return creditOf(this.#read(stateRoot, reputation, storageSlots.seller(region)));
  }

  /** Every value that is not proved, or is not what the events give. */
  deviations(stateRoot: Hex, of: Expected): Deviation[] {
    const found: Deviation[] = [];
    const prove = <T>(what: string, read: () => T): T | null => {
      try {
        return read();
      } catch (cause) {
        found.push({ code: "PROOF", what, reason: cause instanceof Error ? cause.message : String(cause) });
        return null;
      }
    };
    const { reputation } = of.terms;
    if (prove("the account of Reputation", () => this.#storageRoot(stateRoot, reputation)) === null) return found;
    const regions = prove("the number of regions", () => this.#regions(stateRoot, of));
    for (const region of regions ?? [])
      prove(`the name of region ${region}`, () => this.nameOf(stateRoot, of.terms.membership, region));
    for (const { what, storageSlot, expected } of regions ? expectedValues(of, regions) : []) {
      const value = prove(what, () => this.#read(stateRoot, reputation, storageSlot));
      if (value === null) continue;
      const same = typeof expected === "number" ? value === BigInt(expected) : sameCredit(creditOf(value), expected);
      if (same) continue;
      const text = (stored: Credit | number) => (typeof stored === "number" ? String(stored) : creditText(stored));
      found.push({
        code: "STORED_STATE",
        what,
        expected: text(expected),
        found: text(typeof expected === "number" ? Number(value) : creditOf(value)),
      });
    }
    return found;
  }

  #regions(stateRoot: Hex, { terms: { membership }, region, rebuilt }: Expected): number[] {
    if (region !== null) return [region];
    const count = regionCountOf(this.#read(stateRoot, membership, storageSlots.regionCount()));
    const registered = Array.from({ length: count }, (_, i) => i + 1);
    return [...new Set([...registered, ...rebuilt.sellers.keys()])];
  }

  #read(stateRoot: Hex, address: Hex, storageSlot: Hex): bigint {
    const value = lookUp(this.#storageRoot(stateRoot, address), keccak(hexToBytes(storageSlot)), this.nodes);
    return value === null ? 0n : decodeScalar(decodeRlp(value));
  }

  #storageRoot(stateRoot: Hex, address: Hex): Hex {
    const account = lookUp(stateRoot, keccak(hexToBytes(address)), this.nodes);
    if (account === null) throw new Error(`there is no contract at ${address}`);
    const [, , storageRoot] = listOf(decodeRlp(account), 4);
    return toHex(bytesOf(storageRoot));
  }
}

function expectedValues({ rebuilt, counts }: Expected, regions: readonly number[]): StoredValue[] {
  return [
    ...regions.flatMap((region) => {
      const { current, checkpoint } = rebuilt.sellers.get(region) ?? NEWCOMER;
      return [
        { what: `the state of region ${region}`, storageSlot: storageSlots.seller(region), expected: current },
        {
          what: `the checkpoint of region ${region}`,
          storageSlot: storageSlots.checkpoint(region),
          expected: checkpoint,
        },
      ];
    }),
    ...[...rebuilt.pairs].map(([key, expected]) => {
      const [seller, buyer] = key.split(":").map(Number) as [number, number];
      const what = `the credit of region ${seller} from region ${buyer}`;
      return { what, storageSlot: storageSlots.pair(seller, buyer), expected };
    }),
    ...[...counts.creditSuspensions.values()].map(({ lower, higher, until }) => ({
      what: `the credit suspension of regions ${lower} and ${higher}`,
      storageSlot: storageSlots.creditSuspension(lower, higher),
      expected: until,
    })),
  ];
}
