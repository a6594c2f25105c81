/**
 * Asks a peer over the control channel and checks that the answer is the peer's own. Tries each of its URLs, then the
 * inside of the ENIs (ephemeral network interfaces) to it, for when the peering that leads to the URLs is gone; the one
 * that answered last is tried first. Only what the peer signed is an answer; anything else counts as none.
 */
import { randomBytes } from "node:crypto";
import { type Hex, zeroHash } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { z } from "zod";
import type { EniEnd } from "../model/eni.ts";
import { EphemeshError } from "../model/errors.ts";
import type { RegionId } from "../model/ids.ts";
import { type ControlDomain, type Envelope, LIFETIME_SECONDS, open, seal } from "./envelope.ts";
import { type PeerEndpoint, peerEndpointText, post } from "./post.ts";
import { type PeerVersions, PROTOCOL_VERSION } from "./protocol-version.ts";

export interface ControlPeer {
  readonly id: RegionId;
  readonly controlUrls: readonly string[];
}

const answer = z.union([
  z.object({ refused: z.object({ code: z.string(), message: z.string() }) }),
  z.object({ body: z.unknown() }),
]);
type Answer = z.infer<typeof answer>;

/** Asks peers in the name of this region. */
export class ControlClient {
  readonly #self: RegionId;
  readonly #domain: ControlDomain;
  readonly #key: PrivateKeyAccount;
  readonly #agentKeyOf: (region: RegionId) => Hex | null;
  readonly #enis: () => readonly EniEnd[];
  readonly #versions: PeerVersions;
  readonly #lastGood = new Map<RegionId, string>();

  constructor(
    self: RegionId,
    domain: ControlDomain,
    key: PrivateKeyAccount,
    agentKeyOf: (region: RegionId) => Hex | null,
    enis: () => readonly EniEnd[],
    versions: PeerVersions,
  ) {
    this.#enis = enis;
    this.#versions = versions;
    this.#self = self;
    this.#domain = domain;
    this.#key = key;
    this.#agentKeyOf = agentKeyOf;
  }

  /** @throws EphemeshError PEER_UNREACHABLE (retryable) if no answer of the peer came, CONTROL_VERSION, or the peer's signed refusal by its own code */
  async ask(
    peer: ControlPeer,
    kind: string,
    body: unknown,
    options: { subject?: Hex; timeoutMillis?: number; signal?: AbortSignal } = {},
  ): Promise<unknown> {
    const last = this.#lastGood.get(peer.id);
    const endpoints: PeerEndpoint[] = [...peer.controlUrls, ...this.#enis().filter((end) => end.peer === peer.id)];
    let failure: unknown = new Error("it has no control URL");
    for (const endpoint of endpoints.toSorted(
      (a, b) => Number(peerEndpointText(b) === last) - Number(peerEndpointText(a) === last),
    )) {
      let reply: Answer | EphemeshError;
      try {
        const envelope = await this.#post(endpoint, peer.id, kind, body, options);
        reply = this.#versions.note(peer.id, envelope.version) ?? answer.parse(tryJson(envelope.body));
      } catch (error) {
        failure = error;
        continue;
      }
      this.#lastGood.set(peer.id, peerEndpointText(endpoint));
      if (reply instanceof EphemeshError) throw reply;
      if (!("refused" in reply)) return reply.body;
      const { code, message } = reply.refused;
      throw new EphemeshError(
        code,
        `Region ${peer.id} refuses "${kind}": ${message}`,
        `docs/ERRORS.md says what to do about ${code}.`,
      );
    }
    const cause = failure instanceof Error && failure.cause instanceof Error ? failure.cause : failure;
    const reason = (cause instanceof Error ? cause.message : String(cause)).replace(/\.$/, "");
    throw new EphemeshError(
      "PEER_UNREACHABLE",
      `Region ${peer.id} does not answer "${kind}": ${reason}.`,
      "It is asked again while the event lasts; `ephemesh doctor` checks the connection to each peer.",
      { retryable: true, cause: failure },
    );
  }

  /** @throws if no answer came, or one that is not the peer's */
  async #post(
    endpoint: PeerEndpoint,
    to: RegionId,
    kind: string,
    body: unknown,
    options: { subject?: Hex; timeoutMillis?: number; signal?: AbortSignal },
  ): Promise<Envelope> {
    const nonce = `0x${randomBytes(16).toString("hex")}`;
    const request = await seal(
      {
        version: PROTOCOL_VERSION,
        from: this.#self,
        to,
        subject: options.subject ?? zeroHash,
        kind,
        nonce,
        expiresAtSeconds: Math.floor(Date.now() / 1000) + LIFETIME_SECONDS,
        body: JSON.stringify(body),
      },
      this.#domain,
      this.#key,
    );
    const timeout = AbortSignal.timeout(options.timeoutMillis ?? 3000);
    const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout;
    const { status, text } = await post(endpoint, JSON.stringify(request), signal);
    if (status < 200 || status > 299)
      throw new EphemeshError(
        "CONTROL_UNSIGNED",
        `HTTP ${status}${codeIn(text)}, not signed by the peer`,
        "The agent tries the peer's next address; if all fail, check that the peer's control URLs lead to its agent.",
      );
    const reply = await open(tryJson(text), this.#domain, {
      self: this.#self,
      nowSeconds: Math.floor(Date.now() / 1000),
      agentKeyOf: this.#agentKeyOf,
    });
    if (reply.from !== to || reply.nonce !== nonce || reply.kind !== `${kind}-reply`)
      throw new EphemeshError(
        "CONTROL_WRONG_REPLY",
        `The answer to "${kind}" is not region ${to}'s. It was dropped.`,
        "The agent tries the peer's next address; if all fail, check that the peer's control URLs lead to its agent.",
      );
    return reply;
  }
}

/** For the error's text alone: nobody signed it. */
function codeIn(text: string): string {
  const parsed = z.object({ code: z.string().regex(/^[A-Z_]{1,40}$/) }).safeParse(tryJson(text));
  return parsed.success ? ` ${parsed.data.code}` : "";
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
