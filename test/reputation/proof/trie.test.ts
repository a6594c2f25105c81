import assert from "node:assert/strict";
import fc from "fast-check";
import { type Hex, keccak256, stringToBytes, toHex } from "viem";
import { encodeRlp, encodeScalar } from "../../../agent/reputation/proof/rlp.ts";
import { BrokenProof, EMPTY_ROOT, listRoot, lookUp } from "../../../agent/reputation/proof/trie.ts";
import { naiveTrie } from "../../helpers/naive-trie.ts";

const text = (entries: Record<string, string>) =>
  Object.entries(entries).map(([key, value]) => [stringToBytes(key), stringToBytes(value)] as const);
/** Keys as in a storage trie; few values are short enough for nodes that stand in their parent. */
const secure = fc
  .uniqueArray(fc.nat(300), { minLength: 1, maxLength: 60 })
  .map((keys) => keys.map((n) => [keccak256(toHex(n), "bytes"), Uint8Array.of((n % 200) + 1)] as const));

describe("reputation/proof/trie", () => {
  it("the roots that Ethereum's own tests give", () => {
    const known: readonly [Record<string, string>, Hex][] = [
      [
        { do: "verb", dog: "puppy", doge: "coin", horse: "stallion" },
        "0x5991bb8c6514148a29db676a14ac506cd2cd5775ace63c30a4fe457715e9ac84",
      ],
      [
        { doe: "reindeer", dog: "puppy", dogglesworth: "cat" },
        "0x8aad789dff2f538bca5d8ea56e8abe10f4c7ba3a5dea95fea4cd6e7c3a1168d3",
      ],
    ];
    for (const [entries, root] of known) {
      const trie = naiveTrie(text(entries));
      assert.equal(trie.root, root);
      for (const [key, value] of text(entries))
        assert.deepEqual(Buffer.from(lookUp(root, key, trie.nodes)!), Buffer.from(value));
      for (const none of ["d", "dogs", "x", "dogglesworthy"])
        assert.equal(lookUp(root, stringToBytes(none), trie.nodes), null);
    }
    assert.equal(naiveTrie([]).root, EMPTY_ROOT);
    assert.equal(lookUp(EMPTY_ROOT, stringToBytes("any"), new Map()), null);
  });

  it("a list of any length has the root of a trie made by insertion", () => {
    for (const length of [0, 1, 2, 3, 16, 17, 55, 56, 127, 128, 129, 200, 256, 257, 400]) {
      const items = Array.from({ length }, (_, i) => stringToBytes(`receipt ${i}`.repeat(1 + (i % 7))));
      const naive = naiveTrie(items.map((item, i) => [encodeRlp(encodeScalar(i)), item] as const));
      assert.equal(listRoot(items), naive.root, `${length} items`);
    }
  });

  it("what is there is found, and what is not is proved not to be", () =>
    fc.assert(
      fc.property(secure, (entries) => {
        const { root, nodes } = naiveTrie(entries);
        for (const [key, value] of entries) assert.deepEqual(lookUp(root, key, nodes), value);
        for (let n = 301; n < 320; n++) assert.equal(lookUp(root, keccak256(toHex(n), "bytes"), nodes), null);
      }),
      { numRuns: 30 },
    ));

  it("without any node on its way nothing is found and nothing denied", () =>
    fc.assert(
      fc.property(secure, fc.nat(), (entries, pick) => {
        const { root, nodes } = naiveTrie(entries);
        const [key] = entries[pick % entries.length]!;
        let broken = 0;
        for (const hash of nodes.keys()) {
          const fewer = new Map(nodes);
          fewer.delete(hash);
          try {
            assert.notEqual(lookUp(root, key, fewer), null);
          } catch (error) {
            assert.ok(error instanceof BrokenProof);
            broken++;
          }
        }
        assert.ok(broken > 0);
      }),
      { numRuns: 30 },
    ));
});
