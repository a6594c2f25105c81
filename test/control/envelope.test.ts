import assert from "node:assert/strict";
import { zeroHash } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { type Envelope, LIFETIME_SECONDS, MESSAGE_LIMIT_BYTES, open, seal } from "../../agent/control/envelope.ts";
import { PROTOCOL_VERSION } from "../../agent/control/protocol-version.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import { regionId } from "../../agent/model/ids.ts";

const NOW = 1_000_000;
const us = regionId.parse(1);
const them = regionId.parse(2);
const nobody = regionId.parse(9);
const key = privateKeyToAccount(generatePrivateKey());
const thief = privateKeyToAccount(generatePrivateKey());
const domain = { chainId: 7357, membership: `0x${"11".repeat(20)}` } as const;
const expected = { self: us, nowSeconds: NOW, agentKeyOf: (id: number) => (id === them ? key.address : null) };
const unsigned = {
  version: PROTOCOL_VERSION,
  from: them,
  to: us,
  subject: zeroHash,
  kind: "receipt",
  nonce: `0x${"ab".repeat(16)}`,
  expiresAtSeconds: NOW + LIFETIME_SECONDS,
  body: "{}",
};

describe("control envelope", () => {
  const refused = (raw: unknown, code: string, inDomain = domain as Parameters<typeof open>[1]) =>
    assert.rejects(open(raw, inDomain, expected), (error) => error instanceof EphemeshError && error.code === code);

  it("what the sender's agent key signed for us is opened", async () => {
    const message = await seal(unsigned, domain, key);
    assert.deepEqual(await open(message, domain, expected), message);
  });

  it("a signature by another key is refused", async () =>
    refused(await seal(unsigned, domain, thief), "CONTROL_SIGNATURE"));

  it("no signed field can be changed", async () => {
    const message = await seal(unsigned, domain, key);
    const changes: Partial<Envelope>[] = [
      { body: '{"a":1}' },
      { kind: "teardown" },
      { subject: `0x${"22".repeat(32)}` },
      { nonce: `0x${"cd".repeat(16)}` },
      { expiresAtSeconds: NOW + 1 },
    ];
    for (const change of changes) await refused({ ...message, ...change }, "CONTROL_SIGNATURE");
  });

  it("a message of another chain or deployment is refused", async () => {
    const message = await seal(unsigned, domain, key);
    await refused(message, "CONTROL_SIGNATURE", { ...domain, chainId: 1 });
    await refused(message, "CONTROL_SIGNATURE", { ...domain, membership: `0x${"33".repeat(20)}` });
  });

  it("a message for another region is refused", async () =>
    refused(await seal({ ...unsigned, to: nobody }, domain, key), "CONTROL_NOT_FOR_US"));

  it("an expired message and one from far in the future are refused", async () => {
    for (const expiresAtSeconds of [NOW - 1, NOW + 2 * LIFETIME_SECONDS + 1])
      await refused(await seal({ ...unsigned, expiresAtSeconds }, domain, key), "CONTROL_EXPIRED");
  });

  it("an unregistered sender is refused", async () =>
    refused(await seal({ ...unsigned, from: nobody }, domain, key), "CONTROL_UNKNOWN_SENDER"));

  it("another protocol version is opened if it is signed, for its version to be answered; if not, the version is the reason", async () => {
    const other = { ...unsigned, version: PROTOCOL_VERSION + 1 };
    assert.equal((await open(await seal(other, domain, key), domain, expected)).version, PROTOCOL_VERSION + 1);
    await refused(await seal(other, domain, thief), "CONTROL_VERSION");
    await refused({ ...(await seal(unsigned, domain, key)), version: PROTOCOL_VERSION + 1 }, "CONTROL_VERSION");
  });

  it("what is no envelope is refused: missing, additional, oversized or misspelt fields", async () => {
    const message = await seal(unsigned, domain, key);
    const { body, ...incomplete } = message;
    assert.equal(body, "{}");
    for (const raw of [
      null,
      "text",
      incomplete,
      { ...message, extra: 1 },
      { ...message, body: "x".repeat(MESSAGE_LIMIT_BYTES + 1) },
      { ...message, nonce: "0x00" },
      { ...message, from: 0 },
      { ...message, signature: "0x" },
    ])
      await refused(raw, "CONTROL_MALFORMED");
  });
});
