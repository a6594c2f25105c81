/** A contract's custom error as a sentence with what to do; anything else is the node's own fault. */
import { BaseError, type ContractErrorName, ContractFunctionRevertedError } from "viem";
import { EphemeshError } from "../model/errors.ts";
import type { capacityAuctionAbi } from "./abi/capacity-auction.ts";
import type { leaseEscrowAbi } from "./abi/lease-escrow.ts";
import type { membershipAbi } from "./abi/membership.ts";
import type { reputationAbi } from "./abi/reputation.ts";
import { rpcError } from "./client.ts";

/** Custom errors of the contracts that agents call. */
export type RefusalName = ContractErrorName<
  typeof capacityAuctionAbi | typeof leaseEscrowAbi | typeof membershipAbi | typeof reputationAbi
>;

const SENTENCES: { readonly [name in RefusalName]?: { readonly says: string; readonly remedy: string } } = {
  BalanceShort: {
    says: "the region's free balance is too small",
    remedy: "The treasury deposits into the escrow, or lowers the order.",
  },
  AllowanceShort: {
    says: "the agent's allowance is used up",
    remedy: "The treasury raises it with setAllowance, or lets running orders finish.",
  },
  WrongPhase: {
    says: "the auction is in another phase",
    remedy: "It cannot be done any more, or not yet; the next auction is a new chance.",
  },
  WrongOpening: {
    says: "price, lots, boost or salt are not those that were sealed",
    remedy: "Reveal with the values and the salt of the commitment; they are in the journal of the agent that made it.",
  },
  NotActive: { says: "the region is suspended", remedy: "Ask the consortium; what runs can be finished and settled." },
  NotAuthorised: {
    says: "the key is neither the region's agent nor its treasury",
    remedy: "Check keys.agent and `region`; the treasury can replace the agent's key.",
  },
  NotInCell: {
    says: "the region is outside the auction's cell",
    remedy: "Only regions within the opener's radius may order.",
  },
  NotOnFabric: {
    says: "the region is not registered on the auction's fabric",
    remedy: "The consortium attests fabrics.",
  },
  AlreadyOrdered: { says: "the region has an order in this auction", remedy: "One order per region and auction." },
  OtherSide: {
    says: "the organisation is on the other side of this auction",
    remedy: "One side per organisation and auction.",
  },
  BondTooSmall: { says: "the bond is too small", remedy: "Five times the bond must reach price × lots × slots." },
  CertificateWrong: {
    says: "these are not the marginal orders",
    remedy: "Read the revealed orders again; somebody may have revealed meanwhile.",
  },
  AlreadyCleared: { says: "it was cleared already", remedy: "Nothing needs to be done." },
  AlreadySettled: { says: "the lease was settled already", remedy: "Nothing needs to be done." },
  AlreadyCollected: { says: "the order was collected already", remedy: "Nothing needs to be done." },
  AlreadyRevealed: { says: "the order was revealed already", remedy: "Nothing needs to be done." },
  TooEarly: { says: "it is too early", remedy: "It is tried again by itself." },
  WrongSigner: {
    says: "a signature is by a wrong key",
    remedy: "Both agents sign a receipt with the keys that Membership has.",
  },
};

export class ContractRefusal extends EphemeshError {
  /** Name of the custom error, e.g. `BalanceShort`. */
  readonly refusal: string;

  constructor(refusal: string, message: string, remedy: string, cause: unknown) {
    super("CONTRACT_REFUSED", message, remedy, { cause, retryable: refusal === "TooEarly" });
    this.refusal = refusal;
  }
}

/** Also resolves where the contract refuses by one of these names: another region was first, and the work is done. */
export async function unlessRefused(sending: Promise<void>, ...names: readonly RefusalName[]): Promise<void> {
  await sending.catch((error: unknown) => {
    if (!(error instanceof ContractRefusal && (names as readonly string[]).includes(error.refusal))) throw error;
  });
}

/** The error of a failed call, for a person. */
export function explainFailure(what: string, error: unknown): EphemeshError {
  if (error instanceof EphemeshError) return error;
  const revert = error instanceof BaseError ? error.walk((e) => e instanceof ContractFunctionRevertedError) : null;
  if (!(revert instanceof ContractFunctionRevertedError)) return rpcError(error);
  const name = revert.data?.errorName ?? "Error";
  const args = (revert.data?.args ?? []).map(String).join(", ");
  const known = Object.hasOwn(SENTENCES, name) ? SENTENCES[name as RefusalName] : undefined;
  return new ContractRefusal(
    name,
    `The contract refuses ${what}: ${known?.says ?? revert.reason ?? name} (${name}${args ? `: ${args}` : ""}). Nothing was sent.`,
    known?.remedy ?? "docs/PROTOCOL.md lists the refusals of each call.",
    error,
  );
}
