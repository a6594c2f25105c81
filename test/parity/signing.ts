/** Files of the form `{receipts, commitments, grants, salts}`, with the signatures between agents where they have them: hashes that are signed, sealed or proved. */
import { type Hex, hashTypedData } from "viem";
import { commitmentOf, type OrderToSeal, SIDES } from "../../agent/auction/commitment.ts";
import {
  type GrantTerms,
  leaseIdOf,
  leaseLeaf,
  leaseProof,
  leaseRoot,
  packLease,
  unpackLease,
} from "../../agent/auction/leases.ts";
import { type SaltScope, saltOf, saltRequest } from "../../agent/auction/wallet-salt.ts";
import { digestOf, type Unsigned } from "../../agent/control/envelope.ts";
import { type Receipt, receiptHash } from "../../agent/lease/receipt.ts";
import { type LinkEnd, teardownTypedData } from "../../agent/lease/teardown.ts";
import type { LinkId, MeshId } from "../../agent/model/ids.ts";
import { topologyTypedData, type UnsignedTopology } from "../../agent/topology/signing.ts";
import { compareFigures } from "./figures.ts";
import type { Call } from "./harness.ts";

export interface SigningFile {
  readonly receipts: readonly {
    readonly chainId: number;
    readonly escrow: Hex;
    readonly receipt: Receipt;
    readonly digest: Hex;
  }[];
  readonly commitments: readonly { readonly order: OrderToSeal; readonly commitment: Hex }[];
  /** What a wallet signs for its salt, the signature of one, and the salt: no contract computes these. */
  readonly salts: readonly {
    readonly scope: SaltScope;
    readonly digest: Hex;
    readonly signature: Hex;
    readonly salt: Hex;
  }[];
  readonly grants: readonly {
    readonly auctionId: number;
    readonly terms: GrantTerms;
    readonly words: readonly string[];
    readonly root: Hex;
    readonly leases: readonly { readonly id: Hex; readonly leaf: Hex; readonly proof: readonly Hex[] }[];
  }[];
  /** What agents sign for one another: no contract computes these. */
  readonly controlMessages?: readonly {
    readonly chainId: number;
    readonly membership: Hex;
    readonly message: Unsigned;
    readonly digest: Hex;
  }[];
  readonly topologies?: readonly {
    readonly chainId: number;
    readonly auction: Hex;
    readonly meshId: MeshId;
    readonly topology: UnsignedTopology;
    readonly digest: Hex;
  }[];
  readonly teardowns?: readonly {
    readonly chainId: number;
    readonly auction: Hex;
    readonly linkId: LinkId;
    readonly asker: LinkEnd;
    readonly answerer: LinkEnd;
    readonly digest: Hex;
  }[];
}

export function isSigningFile(file: unknown): file is SigningFile {
  const { receipts, commitments, grants, salts } = (file ?? {}) as Partial<SigningFile>;
  return [receipts, commitments, grants, salts].every((list) => Array.isArray(list) && list.length > 0);
}

export function signingInTypeScript(file: SigningFile): number {
  let count = 0;
  for (const [i, { chainId, escrow, receipt, digest }] of file.receipts.entries())
    count += compareFigures(digest, receiptHash(chainId, escrow, receipt), `TypeScript: receipt ${i}`);
  for (const [i, { order, commitment }] of file.commitments.entries())
    count += compareFigures(commitment, commitmentOf(order), `TypeScript: commitment ${i}`);
  for (const [i, { scope, digest, signature, salt }] of file.salts.entries())
    count += compareFigures(
      { digest, salt },
      { digest: hashTypedData(saltRequest(scope)), salt: saltOf(signature) },
      `TypeScript: salt ${i}`,
    );
  for (const [i, { chainId, membership, message, digest }] of (file.controlMessages ?? []).entries())
    count += compareFigures(digest, digestOf(message, { chainId, membership }), `TypeScript: control message ${i}`);
  for (const [i, { chainId, auction, meshId, topology, digest }] of (file.topologies ?? []).entries()) {
    const found = hashTypedData(topologyTypedData(chainId, auction, meshId, topology));
    count += compareFigures(digest, found, `TypeScript: topology ${i}`);
  }
  for (const [i, { chainId, auction, linkId, asker, answerer, digest }] of (file.teardowns ?? []).entries()) {
    const found = hashTypedData(teardownTypedData(chainId, auction, linkId, asker, answerer));
    count += compareFigures(digest, found, `TypeScript: teardown ${i}`);
  }
  for (const { auctionId, terms, words: texts, root, leases } of file.grants) {
    const words = texts.map(BigInt);
    count += compareFigures(root, leaseRoot(words, terms), `TypeScript: root of auction ${auctionId}`);
    const found = words.map((word, i) => ({
      id: leaseIdOf(auctionId, i),
      leaf: leaseLeaf(i, terms, packLease(unpackLease(auctionId, i, word, terms))),
      proof: leaseProof(words, terms, i),
    }));
    count += compareFigures(leases, found, `TypeScript: leases of auction ${auctionId}`);
  }
  return count;
}

export async function signingInSolidity(file: SigningFile, call: Call): Promise<number> {
  let count = 0;
  for (const [i, { chainId, escrow, receipt, digest }] of file.receipts.entries())
    count += compareFigures(digest, await call("receiptDigest", [chainId, escrow, receipt]), `Solidity: receipt ${i}`);
  for (const [i, { order, commitment }] of file.commitments.entries()) {
    const { chainId, auction, auctionId, regionId, side, price, lots, boostBps, salt } = order;
    const args = [chainId, auction, auctionId, regionId, SIDES.indexOf(side), price, lots, boostBps, salt];
    count += compareFigures(commitment, await call("commitment", args), `Solidity: commitment ${i}`);
  }
  for (const { auctionId, terms, words, root, leases } of file.grants) {
    const { startSeconds, slots, lotMbps, price, week } = terms;
    const found = await call("leaseRoot", [words.map(BigInt), startSeconds, slots, lotMbps, price, week]);
    count += compareFigures(root, found, `Solidity: root of auction ${auctionId}`);
    for (const [i, { id, leaf }] of leases.entries()) {
      const answer = await call<readonly [Hex, Hex, boolean]>("leaseLeaf", [
        unpackLease(auctionId, i, BigInt(words[i]!), terms),
      ]);
      count += compareFigures([id, leaf, "true"], answer, `Solidity: lease ${i} of auction ${auctionId}`);
    }
  }
  return count;
}
