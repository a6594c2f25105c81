/** What an audit can find wrong, each named so that one can point at it. With any of them nothing is concluded. */
import { printable } from "../model/printable.ts";
import type { Credit } from "./rule.ts";

export type Deviation =
  | { readonly code: "MALFORMED"; readonly where: string; readonly reason: string }
  /** The source says that it is about something else. */
  | { readonly code: "OTHER_SUBJECT"; readonly what: string; readonly expected: string; readonly found: string }
  | { readonly code: "TRUNCATED"; readonly missing: string }
  /** The header's fields do not give the hash that is said to be its own. */
  | { readonly code: "HEADER_HASH"; readonly block: number; readonly expected: string; readonly found: string }
  /** A block that does not follow the one before it. */
  | { readonly code: "HEADER_LINK"; readonly block: number; readonly expected: string; readonly found: string }
  | { readonly code: "CHECKPOINT_FORK"; readonly block: number; readonly expected: string; readonly found: string }
  | { readonly code: "SEAL"; readonly block: number; readonly reason: string }
  /** The receipts given are not those of the header: an event was left out, put elsewhere, invented or altered. */
  | { readonly code: "RECEIPTS_ROOT"; readonly block: number; readonly expected: string; readonly found: string }
  /** The header's filter admits events of ours, and no receipts were given. */
  | { readonly code: "RECEIPTS_WITHHELD"; readonly block: number }
  /** A settlement whose event claims another state than the rule gives. */
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
  /** What is stored under the state root is not what the events give. */
  | { readonly code: "STORED_STATE"; readonly what: string; readonly expected: string; readonly found: string };

/** One line for people. Much of it is the source's own text, which may try to write a verdict of its own. */
export function describeDeviation(deviation: Deviation): string {
  return printable(textOf(deviation));
}

function textOf(deviation: Deviation): string {
  switch (deviation.code) {
    case "MALFORMED":
      return `${deviation.where} cannot be read: ${deviation.reason}`;
    case "OTHER_SUBJECT":
      return `${deviation.what} is ${deviation.found} instead of ${deviation.expected}`;
    case "TRUNCATED":
      return `it ends without ${deviation.missing}`;
    case "HEADER_HASH":
      return `the header of block ${deviation.block} has the hash ${deviation.expected}, not ${deviation.found} as it says`;
    case "HEADER_LINK":
      return `block ${deviation.block} does not follow: ${deviation.expected} was due, ${deviation.found} was given`;
    case "CHECKPOINT_FORK":
      return `the chain forked below the checkpoint: block ${deviation.block} was ${deviation.expected}, now it is ${deviation.found}`;
    case "SEAL":
      return `the header of block ${deviation.block}: ${deviation.reason}`;
    case "RECEIPTS_ROOT":
      return `the receipts of block ${deviation.block} have the root ${deviation.found}, its header says ${deviation.expected}: an event was left out, moved, invented or altered`;
    case "RECEIPTS_WITHHELD":
      return `block ${deviation.block} may hold settlements, and its receipts were not given`;
    case "EVENT_STATE":
      return `lease ${deviation.leaseId} in block ${deviation.block}: the ${deviation.what} state of region ${deviation.region} is ${creditText(deviation.found)}, the rule gives ${creditText(deviation.expected)}`;
    case "PROOF":
      return `the proof of ${deviation.what} does not hold: ${deviation.reason}`;
    case "STORED_STATE":
      return `${deviation.what} is stored as ${deviation.found}, the events give ${deviation.expected}: a settlement was left out, invented or altered, or the contract is not the one of the deployment`;
  }
}

export function creditText({ delivered, failed, day }: Credit): string {
  return `(${delivered}, ${failed}, day ${day})`;
}
