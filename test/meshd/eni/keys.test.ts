import { strict as assert } from "node:assert";
import { wireguardConfig } from "../../../agent/meshd/eni/configure.ts";
import { LinkKeys } from "../../../agent/meshd/eni/keys.ts";
import type { LinkId } from "../../../agent/model/ids.ts";

const link = `0x${"5a".repeat(32)}` as LinkId;

function exchange(a: LinkKeys, b: LinkKeys): void {
  const { ciphertext = "" } = b.complete(a.publicKey, { role: "responder", encapsulationKey: a.encapsulationKey });
  a.complete(b.publicKey, { role: "initiator", ciphertext });
}

describe("keys of a link", () => {
  it("both ends derive one preshared key; it differs by link, attempt and exchange", () => {
    const [a, b] = [new LinkKeys(link, 0), new LinkKeys(link, 0)];
    exchange(a, b);
    assert.equal(a.completed?.presharedKey, b.completed?.presharedKey);
    assert.equal(Buffer.from(a.completed?.presharedKey ?? "", "base64").length, 32);
    const [c, d] = [new LinkKeys(link, 1), new LinkKeys(link, 0)];
    exchange(c, d);
    assert.notEqual(c.completed?.presharedKey, d.completed?.presharedKey);
  });

  it("the same message again gets the same answer, another one is refused", () => {
    const [a, b] = [new LinkKeys(link, 0), new LinkKeys(link, 0)];
    const message = { role: "responder", encapsulationKey: a.encapsulationKey } as const;
    const first = b.complete(a.publicKey, message);
    assert.deepEqual(b.complete(a.publicKey, message), first);
    const other = new LinkKeys(link, 0);
    assert.throws(() => b.complete(other.publicKey, message), { code: "LINK_ALREADY_COMPLETED" });
  });

  it("a key exchange that is none is refused and leaves nothing derived", () => {
    const keys = new LinkKeys(link, 0);
    for (const encapsulationKey of ["", "AAAA", "x".repeat(1580)]) {
      assert.throws(() => keys.complete(keys.publicKey, { role: "responder", encapsulationKey }), {
        code: "KEM_REFUSED",
      });
    }
    assert.equal(keys.completed, null);
  });

  it("the public keys are of the sizes that the messages promise", () => {
    const keys = new LinkKeys(link, 0);
    assert.equal(Buffer.from(keys.publicKey, "base64").length, 32);
    assert.equal(Buffer.from(keys.encapsulationKey, "base64").length, 1184);
  });

  it("an IPv6 endpoint stands in brackets", () => {
    const [a, b] = [new LinkKeys(link, 0), new LinkKeys(link, 0)];
    exchange(a, b);
    const text = wireguardConfig({
      privateKey: a.privateKey,
      listenPort: 51820,
      mark: 0x65f00000,
      peerPublicKey: b.publicKey,
      presharedKey: a.completed?.presharedKey ?? "",
      endpoint: { address: "fd00:2::2", port: 51821 },
    });
    assert.match(text, /^Endpoint = \[fd00:2::2\]:51821$/m);
  });
});
