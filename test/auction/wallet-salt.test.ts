import assert from "node:assert/strict";
import { type Hex, parseSignature, serializeCompactSignature, signatureToCompactSignature, toHex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { type SaltScope, saltOf, saltRequest, walletSalt } from "../../agent/auction/wallet-salt.ts";

const scope: SaltScope = { chainId: 7357, auction: `0x${"a1".repeat(20)}`, auctionId: 3, regionId: 2 };
const wallet = privateKeyToAccount(`0x${"11".repeat(32)}`);
const saltFor = (change: Partial<SaltScope> = {}, by = wallet) =>
  walletSalt({ ...scope, ...change }, (request) => by.signTypedData(request));

describe("auction/wallet-salt", () => {
  it("the same wallet finds its salt again on any machine", async () => {
    assert.equal(await saltFor(), await saltFor());
  });

  it("another chain, contract, auction, region or wallet has another salt", async () => {
    const others = await Promise.all([
      saltFor({ chainId: 1 }),
      saltFor({ auction: `0x${"a2".repeat(20)}` }),
      saltFor({ auctionId: 4 }),
      saltFor({ regionId: 3 }),
      saltFor({}, privateKeyToAccount(`0x${"12".repeat(32)}`)),
    ]);
    assert.equal(new Set([await saltFor(), ...others]).size, others.length + 1);
  });

  it("what is signed names chain, contract, auction, region and purpose in words", () => {
    const { domain, message } = saltRequest(scope);
    assert.deepEqual([domain.chainId, domain.verifyingContract], [7357, scope.auction]);
    assert.deepEqual([message.auctionId, message.regionId], [3, 2]);
    assert.match(message.purpose, /Seal my order/);
  });

  it("one signature written in another form gives the same salt: recovery bit, compact, flipped s", async () => {
    const signature = await wallet.signTypedData(saltRequest(scope));
    const { r, s, yParity } = parseSignature(signature);
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const body = `${r}${s.slice(2)}`;
    const forms: Hex[] = [
      `${body}0${yParity}` as Hex,
      serializeCompactSignature(signatureToCompactSignature({ r, s, yParity })),
      `${r}${toHex(order - BigInt(s), { size: 32 }).slice(2)}1b` as Hex,
    ];
    for (const form of forms) assert.equal(saltOf(form), saltOf(signature));
  });

  it("a wallet that signs differently each time is refused before anything is sealed", async () => {
    let count = 0;
    const fickle = () => wallet.signTypedData(saltRequest({ ...scope, auctionId: count++ }));
    await assert.rejects(walletSalt(scope, fickle), { code: "WALLET_NOT_REPEATABLE" });
  });

  it("what is not one key's signature is refused", async () => {
    for (const answer of ["0x", "0x12", `0x${"ab".repeat(130)}`, "none"] as Hex[])
      await assert.rejects(
        walletSalt(scope, async () => answer),
        { code: "SIGNATURE_UNKNOWN" },
      );
  });
});
