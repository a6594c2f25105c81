/** What the contracts hold under a state root, by trie nodes that nobody vouches for, against what the events give. */
import { type Hex, hexToBytes, toHex } from "viem";
import type { Deviation } from "./deviation.ts";
import { creditText } from "./deviation.ts";
import { keccak } from "./proof/keccak.ts";
import { bytesOf, decodeRlp, decodeScalar, listOf } from "./proof/rlp.ts";
import { creditOf, regionCountOf, shortStringOf, slots } from "./proof/storage.ts";
import { lookUp } from "./proof/trie.ts";
import { type Rebuild, sameCredit } from "./rebuild.ts";
import { type Credit, NEWCOMER } from "./rule.ts";
import type { Tally } from "./tally.ts";

export interface Wanted {
  readonly address: Hex;
  readonly slots: readonly Hex[];
}

/** What the events gave, and of whom it is asked. */
interface Expected {
  readonly terms: { readonly reputation: Hex; readonly membership: Hex };
  readonly region: number | null;
  readonly rebuild: Pick<Rebuild, "sellers" | "pairs">;
  readonly tally: Pick<Tally, "creditSuspensions">;
}

interface Stored {
  readonly what: string;
  readonly slot: Hex;
  readonly expected: Credit | number;
}

export class ProvenState {
  readonly nodes = new Map<Hex, Uint8Array>();
  #asked = 0;

  /** In two steps: how many regions there are, then everything of each. */
  wanted(stateRoot: Hex, of: Expected): Wanted[] {
    const { membership, reputation } = of.terms;
    const { region } = of;
    this.#asked++;
    if (this.#asked === 1 && region === null)
      return [
        { address: membership, slots: [slots.regionCount()] },
        { address: reputation, slots: [] },
      ];
    if (this.#asked > (region === null ? 2 : 1)) return [];
    const regions = this.regions(stateRoot, of);
    return [
      { address: membership, slots: regions.map(slots.regionName) },
      { address: reputation, slots: storedOf(of, regions).map(({ slot }) => slot) },
    ];
  }

  /** All regions of the register, or the one that is asked for; none where that is not proved. */
  regions(stateRoot: Hex, of: Expected): number[] {
    try {
      return this.#regions(stateRoot, of);
    } catch {
      return [];
    }
  }

  /** Null where it is too long to stand in one slot, or there is none. @throws Error where it is not proved. */
  nameOf(stateRoot: Hex, membership: Hex, region: number): string | null {
    return shortStringOf(this.#read(stateRoot, membership, slots.regionName(region))) || null;
  }

  credit(stateRoot: Hex, reputation: Hex, region: number): Credit {
    return creditOf(this.#read(stateRoot, reputation, slots.seller(region)));
  }

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
    if (prove("the contract's account", () => this.#storageRoot(stateRoot, reputation)) === null) return found;
    const regions = prove("the number of regions", () => this.#regions(stateRoot, of));
    for (const region of regions ?? [])
      prove(`the name of region ${region}`, () => this.nameOf(stateRoot, of.terms.membership, region));
    for (const { what, slot, expected } of regions ? storedOf(of, regions) : []) {
      const value = prove(what, () => this.#read(stateRoot, reputation, slot));
      if (value === null) continue;
      const same = typeof expected === "number" ? value === BigInt(expected) : sameCredit(creditOf(value), expected);
      if (same) continue;
      const text = (of_: Credit | number) => (typeof of_ === "number" ? String(of_) : creditText(of_));
      found.push({
        code: "STORED_STATE",
        what,
        expected: text(expected),
        found: text(typeof expected === "number" ? Number(value) : creditOf(value)),
      });
    }
    return found;
  }

  #regions(stateRoot: Hex, { terms: { membership }, region, rebuild }: Expected): number[] {
    if (region !== null) return [region];
    const count = regionCountOf(this.#read(stateRoot, membership, slots.regionCount()));
    const registered = Array.from({ length: count }, (_, i) => i + 1);
    // Whoever has settlements is looked at, whatever the register says.
    return [...new Set([...registered, ...rebuild.sellers.keys()])];
  }

  #read(stateRoot: Hex, address: Hex, slot: Hex): bigint {
    const value = lookUp(this.#storageRoot(stateRoot, address), keccak(hexToBytes(slot)), this.nodes);
    return value === null ? 0n : decodeScalar(decodeRlp(value));
  }

  #storageRoot(stateRoot: Hex, address: Hex): Hex {
    const account = lookUp(stateRoot, keccak(hexToBytes(address)), this.nodes);
    if (account === null) throw new Error(`there is no contract at ${address}`);
    const [, , storageRoot] = listOf(decodeRlp(account), 4);
    return toHex(bytesOf(storageRoot));
  }
}

function storedOf({ rebuild, tally }: Expected, regions: readonly number[]): Stored[] {
  return [
    ...regions.flatMap((region) => {
      const { current, checkpoint } = rebuild.sellers.get(region) ?? NEWCOMER;
      return [
        { what: `the state of region ${region}`, slot: slots.seller(region), expected: current },
        { what: `the checkpoint of region ${region}`, slot: slots.checkpoint(region), expected: checkpoint },
      ];
    }),
    ...[...rebuild.pairs].map(([key, expected]) => {
      const [seller, buyer] = key.split(":").map(Number) as [number, number];
      return { what: `the credit of region ${seller} from region ${buyer}`, slot: slots.pair(seller, buyer), expected };
    }),
    ...[...tally.creditSuspensions.values()].map(({ lower, higher, until }) => ({
      what: `the credit suspension of regions ${lower} and ${higher}`,
      slot: slots.creditSuspension(lower, higher),
      expected: until,
    })),
  ];
}
