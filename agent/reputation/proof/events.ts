/** Decodes the events that the audit reads from proven logs: ABI words of 32 bytes. */
import { type Hex, toHex } from "viem";
import { SLOT_SECONDS } from "../../model/market.ts";
import type { LeaseRecorded } from "../rebuild.ts";
import type { Credit } from "../rule.ts";
import { eventTopics } from "./layout.ts";
import type { ProvenLog } from "./receipts.ts";

/** Figures of the escrow's `LeaseSettled` that a score does not show. */
export interface SettledLease {
  readonly seller: number;
  readonly buyer: number;
  readonly termSeconds: number;
  readonly voidSeconds: number;
  readonly disputedSeconds: number;
}

/** Two regions earn no credit from each other for a time. */
export interface CreditSuspended {
  readonly lower: number;
  readonly higher: number;
  /** Unix second. */
  readonly until: number;
}

export type AuditEvent =
  | { readonly kind: "recorded"; readonly event: LeaseRecorded }
  | { readonly kind: "credit-suspended"; readonly event: CreditSuspended }
  | { readonly kind: "settled"; readonly event: SettledLease };

const TOPICS = Object.fromEntries(Object.entries(eventTopics).map(([name, topic]) => [topic, name]));
const RECORDED_WORDS = 11;
const SETTLED_WORDS = 30;

/** Null for any other event, or one of another contract. @throws Error if the data do not fit the topic. */
export function auditEventOf(
  log: ProvenLog,
  { reputation, escrow }: { readonly reputation: Hex; readonly escrow: Hex },
): AuditEvent | null {
  const by = log.address === reputation.toLowerCase() ? "reputation" : log.address === escrow.toLowerCase() && "escrow";
  switch (by && `${by} ${TOPICS[toHex(log.topics[0] ?? new Uint8Array())]}`) {
    case "reputation LeaseRecorded":
      return { kind: "recorded", event: recorded(log) };
    case "reputation CreditSuspended":
      return { kind: "credit-suspended", event: creditSuspended(log) };
    case "escrow LeaseSettled":
      return { kind: "settled", event: settled(log) };
    default:
      return null;
  }
}

function recorded({ topics, data }: ProvenLog): LeaseRecorded {
  const at = wordsOf(data, RECORDED_WORDS);
  const credit = (first: number): Credit => ({
    delivered: at(first),
    failed: at(first + 1),
    day: Number(at(first + 2)),
  });
  return {
    seller: topicNumber(topics, 1),
    buyer: topicNumber(topics, 2),
    leaseId: toHex(topics[3] ?? missing()),
    delivered: at(0),
    failed: at(1),
    buyerBond: at(2),
    endDay: Number(at(3)),
    day: Number(at(4)),
    sellerState: credit(5),
    pairState: credit(8),
  };
}

function creditSuspended({ topics, data }: ProvenLog): CreditSuspended {
  return { lower: topicNumber(topics, 1), higher: topicNumber(topics, 2), until: Number(wordsOf(data, 1)(0)) };
}

/** Words 0 to 17 are the lease, the rest its settlement. */
function settled({ topics, data }: ProvenLog): SettledLease {
  const at = wordsOf(data, SETTLED_WORDS);
  return {
    seller: topicNumber(topics, 2),
    buyer: topicNumber(topics, 3),
    termSeconds: SLOT_SECONDS * Number(at(14)),
    voidSeconds: Number(at(22)),
    disputedSeconds: Number(at(20) - at(19)),
  };
}

/** No field is wider than 128 bits. */
function wordsOf(data: Uint8Array, count: number): (index: number) => bigint {
  if (data.length !== 32 * count) throw new Error(`an event has ${data.length} bytes instead of ${32 * count}`);
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  return (index) => (view.getBigUint64(32 * index + 16) << 64n) | view.getBigUint64(32 * index + 24);
}

function topicNumber(topics: readonly Uint8Array[], index: number): number {
  const topic = topics[index] ?? missing();
  return new DataView(topic.buffer, topic.byteOffset, topic.length).getUint32(28);
}

function missing(): never {
  throw new Error("an event lacks a topic");
}
