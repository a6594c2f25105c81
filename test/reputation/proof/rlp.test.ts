import assert from "node:assert/strict";
import fc from "fast-check";
import { type Hex, toHex, toRlp } from "viem";
import {
  bytesOf,
  decodeRlp,
  decodeScalar,
  encodeRlp,
  encodeScalar,
  listOf,
  type Rlp,
} from "../../../agent/reputation/proof/rlp.ts";

const { value } = fc.letrec<{ value: Rlp }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.uint8Array({ maxLength: 80 }),
    fc.array(tie("value"), { maxLength: 20 }),
  ),
}));
type HexTree = Hex | HexTree[];
const inHex = (of: Rlp): HexTree => (of instanceof Uint8Array ? toHex(of) : of.map(inHex));

describe("reputation/proof/rlp", () => {
  it("encodes as viem does, from bytes and from hexadecimal", () =>
    fc.assert(
      fc.property(value, (of) => {
        assert.equal(toHex(encodeRlp(of)), toRlp(inHex(of)));
        assert.equal(toHex(encodeRlp(inHex(of))), toRlp(inHex(of)));
      }),
    ));

  it("decodes what it encoded", () =>
    fc.assert(fc.property(value, (of) => assert.deepEqual(inHex(decodeRlp(encodeRlp(of))), inHex(of)))));

  it("takes only the one encoding of a value: whatever decodes encodes to the same bytes", () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        let decoded: Rlp;
        try {
          decoded = decodeRlp(bytes);
        } catch {
          return;
        }
        assert.equal(toHex(encodeRlp(decoded)), toHex(bytes));
      }),
      { numRuns: 2_000 },
    ));

  it("numbers have no leading zeros", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 256n }), (n) => assert.equal(decodeScalar(encodeScalar(n)), n)),
    );
    assert.throws(() => decodeScalar(Uint8Array.of(0, 1)), /begins with a zero/);
  });

  it("refuses what is cut off, what follows, bytes for lists, lists for bytes, and text that is not hexadecimal", () => {
    for (const text of ["0x", "0x8101", "0xb801ff", "0xc3", "0x83aabb", "0xb9", "0x0102", "0xf800"])
      assert.throws(() => decodeRlp(Buffer.from(text.slice(2), "hex")), text);
    assert.throws(() => listOf(Uint8Array.of(1)));
    assert.throws(() => listOf([], 1));
    assert.throws(() => bytesOf([]));
    for (const text of ["ab", "0xabc", "0xzz", "0x12zz56"]) assert.throws(() => encodeRlp(text), /not hexadecimal/);
  });
});
