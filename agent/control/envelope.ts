/**
 * The signed envelope of every control-channel message: EIP-712 by the sender's agent key over chain, deployment, both
 * parties, subject (lease, link or zero), protocol version, kind, body, a nonce and an expiry. A reply carries the
 * request's nonce, so that neither can be replayed as an answer to another request.
 */
import { type Hex, hashTypedData, keccak256, recoverTypedDataAddress, stringToHex } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { z } from "zod";
import { EphemeshError } from "../model/errors.ts";
import { chainSignature, hex32, type RegionId, regionId } from "../model/ids.ts";
import { signingDomain } from "../model/signing-domain.ts";
import { PROTOCOL_VERSION, versionProblem } from "./protocol-version.ts";

/** A message is valid for this long after it was made; clocks may differ by as much. */
export const LIFETIME_SECONDS = 60;
/** Of one message, and of the body in it: the topology of 200 participants needs up to 400 kB. */
export const MESSAGE_LIMIT_BYTES = 400 * 1024;

export const envelope = z.strictObject({
  version: z.number().int(),
  from: regionId,
  to: regionId,
  subject: hex32,
  kind: z.string().max(40),
  nonce: z.string().regex(/^0x[0-9a-f]{32}$/),
  expiresAtSeconds: z.number().int().nonnegative(),
  /** JSON text: what is signed is exactly what was sent. */
  body: z.string().max(MESSAGE_LIMIT_BYTES),
  signature: chainSignature,
});
export type Envelope = z.infer<typeof envelope>;
export type Unsigned = Omit<Envelope, "signature">;

export interface ControlDomain {
  readonly chainId: number;
  readonly membership: Hex;
}

const TYPES = {
  ControlMessage: [
    { name: "from", type: "uint32" },
    { name: "to", type: "uint32" },
    { name: "subject", type: "bytes32" },
    { name: "kind", type: "string" },
    { name: "bodyHash", type: "bytes32" },
    { name: "nonce", type: "bytes16" },
    { name: "expiresAtSeconds", type: "uint64" },
  ],
} as const;

/** Signs a message with the agent key of its sender. */
export async function seal(unsigned: Unsigned, domain: ControlDomain, key: PrivateKeyAccount): Promise<Envelope> {
  return { ...unsigned, signature: await key.signTypedData(typedData(unsigned, domain)) };
}

/** The EIP-712 hash that the sender signs. */
export function digestOf(message: Unsigned, domain: ControlDomain): Hex {
  return hashTypedData(typedData(message, domain));
}

export interface Expectation {
  readonly self: RegionId;
  readonly nowSeconds: number;
  /** Agent key of a region as registered on chain; null for a region that is unknown. */
  agentKeyOf(region: RegionId): Hex | null;
}

/**
 * Checks an envelope; not its version, which the sender's signature must prove first.
 * @throws EphemeshError CONTROL_MALFORMED, CONTROL_NOT_FOR_US, CONTROL_EXPIRED, CONTROL_UNKNOWN_SENDER, CONTROL_SIGNATURE, CONTROL_VERSION
 */
export async function open(raw: unknown, domain: ControlDomain, expected: Expectation): Promise<Envelope> {
  const parsed = envelope.safeParse(raw);
  if (!parsed.success)
    throw refusal(
      "CONTROL_MALFORMED",
      "The message is not a control envelope.",
      "Check that the sender is an ephemesh agent; anything that scans ports can send this too.",
    );
  const message = parsed.data;
  if (message.to !== expected.self)
    throw refusal(
      "CONTROL_NOT_FOR_US",
      `The message is for region ${message.to}.`,
      `Check the control URLs of region ${message.to} in the register: one of them leads to this agent.`,
    );
  if (
    message.expiresAtSeconds < expected.nowSeconds ||
    message.expiresAtSeconds > expected.nowSeconds + 2 * LIFETIME_SECONDS
  )
    throw refusal(
      "CONTROL_EXPIRED",
      "The message has expired or is from the future: the clocks differ by more than a minute.",
      "Synchronise the clocks of both machines, e.g. by NTP.",
    );
  const registered = expected.agentKeyOf(message.from);
  if (!registered)
    throw refusal(
      "CONTROL_UNKNOWN_SENDER",
      `Region ${message.from} is not registered.`,
      "Only the consortium can register it; `ephemesh reputation` lists the regions.",
    );
  const { signature, ...unsigned } = message;
  const signer = await recoverTypedDataAddress({ ...typedData(unsigned, domain), signature }).catch(() => null);
  if (signer?.toLowerCase() === registered.toLowerCase()) return message;
  // Another version may sign in another way: its signature proves nothing here.
  throw message.version === PROTOCOL_VERSION
    ? refusal(
        "CONTROL_SIGNATURE",
        `The message is not signed by the agent key of region ${message.from}.`,
        `Ask the operator of region ${message.from} to run its agent with the registered key; \`ephemesh doctor\` there checks it.`,
      )
    : versionProblem(message.from, message.version, "Its signature cannot be checked.");
}

function typedData(message: Unsigned, domain: ControlDomain) {
  return {
    domain: signingDomain(domain.chainId, domain.membership),
    types: TYPES,
    primaryType: "ControlMessage" as const,
    message: {
      from: message.from,
      to: message.to,
      subject: message.subject as Hex,
      kind: `${message.version}:${message.kind}`,
      bodyHash: keccak256(stringToHex(message.body)),
      nonce: message.nonce as Hex,
      expiresAtSeconds: BigInt(message.expiresAtSeconds),
    },
  };
}

function refusal(code: string, what: string, remedy: string): EphemeshError {
  return new EphemeshError(code, `${what} The message was dropped.`, remedy);
}
