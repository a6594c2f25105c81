/** What an audit can find wrong. If anything deviates, the audit draws no conclusion about any score. */
import { printable } from "../model/printable.ts";
import type { Credit } from "./rule.ts";

export type Deviation =
  | { readonly code: "MALFORMED"; readonly where: string; readonly reason: string }
  /** The source is about another chain, contract or region. */
  | { readonly code: "OTHER_SUBJECT"; readonly what: string; readonly expected: string; readonly found: string }
  | { readonly code: "TRUNCATED"; readonly missing: string }
  /** The header does not hash to what the source gives as its hash. */
  | { readonly code: "HEADER_HASH"; readonly block: number; readonly expected: string; readonly found: string }
  /** The block is not a child of the one before it, or its number is out of order. */
  | { readonly code: "HEADER_PARENT"; readonly block: number; readonly expected: string; readonly found: string }
  | { readonly code: "CHECKPOINT_FORK"; readonly block: number; readonly expected: string; readonly found: string }
  | { readonly code: "SEAL"; readonly block: number; readonly reason: string }
  /** The receipts do not match the header: an event was omitted, moved, invented or altered. */
  | { readonly code: "RECEIPTS_ROOT"; readonly block: number; readonly expected: string; readonly found: string }
  /** The header's bloom filter admits events of Reputation, and the source gave no receipts. */
  | { readonly code: "RECEIPTS_WITHHELD"; readonly block: number }
  /** The event of a settlement states another credit than the rule gives. */
  | {
      readonly code: "EVENT_STATE";
      readonly block: number;
      readonly leaseId: string;
      readonly what: "seller" | "pair";
      readonly region: number;
      readonly expected: Credit;
      readonly found: Credit;
    }
  | { readonly code: "PROOF"; readonly what: string; readonly reason: string }
  /** The contract stores another value than the events give. */
  | { readonly code: "STORED_STATE"; readonly what: string; readonly expected: string; readonly found: string };

/** One line for people. Control characters are escaped, because the source may have written part of the text. */
export function describeDeviation(deviation: Deviation): string {
  return printable(textOf(deviation));
}

function textOf(deviation: Deviation): string {
  switch (deviation.code) {
    case "MALFORMED":
      return `cannot read ${deviation.where}: ${deviation.reason}`;
    case "OTHER_SUBJECT":
      return `${deviation.what} is ${deviation.found}, expected ${deviation.expected}`;
    case "TRUNCATED":
      return `the input is incomplete: ${deviation.missing} missing`;
    case "HEADER_HASH":
      return `the header of block ${deviation.block} hashes to ${deviation.expected}, not to the ${deviation.found} that was given`;
    case "HEADER_PARENT":
      return `block ${deviation.block} is not in sequence: expected ${deviation.expected}, found ${deviation.found}`;
    case "CHECKPOINT_FORK":
      return `the chain was reorganised below the checkpoint: block ${deviation.block} was ${deviation.expected} and is now ${deviation.found}`;
    case "SEAL":
      return `the seals of block ${deviation.block} are not valid: ${deviation.reason}`;
    case "RECEIPTS_ROOT":
      return `the receipts of block ${deviation.block} have the root ${deviation.found}, but its header names ${deviation.expected}: an event was omitted, moved, invented or altered`;
    case "RECEIPTS_WITHHELD":
      return `block ${deviation.block} may contain settlements, but its receipts were not given`;
    case "EVENT_STATE":
      return `lease ${deviation.leaseId} in block ${deviation.block}: the event states the ${deviation.what} credit of region ${deviation.region} as ${creditText(deviation.found)}, the rule gives ${creditText(deviation.expected)}`;
    case "PROOF":
      return `the proof of ${deviation.what} does not hold: ${deviation.reason}`;
    case "STORED_STATE":
      return `${deviation.what} is stored as ${deviation.found}, but the events give ${deviation.expected}: a settlement was omitted, invented or altered, or this is not the contract of the deployment`;
  }
}

/** `(delivered, failed, day …)`, in micro-units and days since 1970. */
export function creditText({ delivered, failed, day }: Credit): string {
  return `(${delivered}, ${failed}, day ${day})`;
}
