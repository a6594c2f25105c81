import assert from "node:assert/strict";
import { keccak256, toHex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { Audit, type AuditTerms } from "../../../agent/reputation/audit.ts";
import { decodeHeader, headerHash } from "../../../agent/reputation/proof/header.ts";
import { quorumOf, type SealTerms, sealObjection, sealsOf } from "../../../agent/reputation/proof/seals.ts";
import { auditReport } from "../../../agent/reputation/report.ts";
import { cliqueHeader, qbftHash, qbftHeader, validators } from "../../helpers/sealed-headers.ts";

const addresses = validators.map(({ address }) => address);
const stranger = privateKeyToAccount(`0x${"99".repeat(32)}`);
const known = { consensus: null, validators: [{ fromBlock: 0, validators: addresses }] } as const;
const objection = async (rlp: Uint8Array, terms: SealTerms = known) =>
  sealObjection(await sealsOf(decodeHeader(rlp)), 0x1234, terms);

describe("reputation/proof/seals", () => {
  it("QBFT: the signers of the committed seals are recovered, whatever the round", async () => {
    for (const round of [0, 1, 300]) {
      const seals = await sealsOf(decodeHeader(await qbftHeader(validators.slice(1, 6), { round })));
      assert.deepEqual(seals, { consensus: "qbft", signers: addresses.slice(1, 6), named: addresses });
    }
  });

  it("QBFT: the block's hash is the same for every round and every signer", async () => {
    for (const [round, signers] of [
      [0, 5],
      [4, 7],
    ] as const)
      assert.equal(headerHash(decodeHeader(await qbftHeader(validators.slice(0, signers), { round }))), qbftHash());
  });

  it("QBFT: two thirds of the validators must have sealed it, each counted once", async () => {
    assert.deepEqual([1, 2, 3, 4, 7].map(quorumOf), [1, 2, 2, 3, 5]);
    assert.equal(await objection(await qbftHeader(validators.slice(0, 5))), null);
    assert.match((await objection(await qbftHeader(validators.slice(0, 4))))!, /4 of 7 validators.*5 are needed/);
    const twice = [...validators.slice(0, 3), ...validators.slice(0, 3)];
    assert.match((await objection(await qbftHeader(twice)))!, /3 of 7/);
  });

  it("QBFT: a header that names validators of its own is refused by those that the auditor knows", async () => {
    const own = [stranger, ...validators.slice(0, 1)];
    assert.match((await objection(await qbftHeader(own, { named: own })))!, /no validator/);
  });

  it("QBFT: a seal of another header is a stranger's", async () => {
    const sealed = await qbftHeader(validators.slice(0, 5));
    const { fields } = decodeHeader(sealed);
    const other = await qbftHeader(validators.slice(0, 5), { fields: { gasUsed: "0x5209" } });
    const mixed = { ...decodeHeader(other), extraData: fields[12] as Uint8Array };
    assert.match(sealObjection(await sealsOf(mixed), 0x1234, known)!, /no validator/);
  });

  it("Clique: the signer is recovered, on an epoch's block too", async () => {
    for (const epoch of [false, true]) {
      const rlp = await cliqueHeader(validators[3]!, epoch);
      const seals = await sealsOf(decodeHeader(rlp));
      assert.deepEqual(seals, { consensus: "clique", signers: [addresses[3]], named: epoch ? addresses : [] });
      assert.equal(await objection(rlp, { ...known, consensus: "clique" }), null);
      assert.equal(headerHash(decodeHeader(rlp)), keccak256(rlp));
    }
    assert.match((await objection(await cliqueHeader(stranger), { ...known, consensus: "clique" }))!, /no validator/);
  });

  it("a header of another consensus than the auditor expects is refused, even if validators sealed it", async () => {
    const [qbft, clique] = [await qbftHeader(validators), await cliqueHeader(validators[3]!)];
    assert.match((await objection(clique))!, /no header of QBFT/);
    assert.match((await objection(clique, { ...known, consensus: "qbft" }))!, /no header of QBFT/);
    assert.match((await objection(qbft, { ...known, consensus: "clique" }))!, /no header of Clique/);
    for (const consensus of ["qbft", "clique"] as const)
      assert.equal((await objection(qbft, { consensus, validators: [] })) === null, consensus === "qbft");
  });

  it("a block before the first list of validators is refused", async () => {
    const later = [{ fromBlock: 0x1235, validators: addresses }];
    assert.match((await objection(await qbftHeader(validators), { ...known, validators: later }))!, /begins above/);
  });

  it("a header without seals is refused where validators are known", async () => {
    const bare = await qbftHeader([], { fields: { mixHash: toHex(0, { size: 32 }), difficulty: "0x0" } });
    assert.match((await objection(bare))!, /nothing seals it/);
  });

  describe("in an audit", () => {
    const terms: AuditTerms = {
      chainId: 1,
      reputation: `0x${"01".repeat(20)}`,
      escrow: `0x${"02".repeat(20)}`,
      membership: `0x${"03".repeat(20)}`,
      fromBlock: 1,
      fullBond: 1n,
      consensus: null,
      validators: [],
      region: null,
    };
    async function said(header: Uint8Array, of: Partial<AuditTerms>, children: readonly Uint8Array[] = []) {
      const audit = new Audit({ ...terms, ...of });
      const hash = headerHash(decodeHeader(header));
      const about = { format: 1, chainId: 1, reputation: terms.reputation, region: null, everyBlock: false } as const;
      await audit.take({ kind: "anchor", ...about, hash, header });
      for (const child of children)
        await audit.take({ kind: "child", hash: headerHash(decodeHeader(child)), header: child });
      const report = auditReport(audit);
      return {
        ...report,
        sealed: report.deviations.filter(({ code }) => code === "SEAL").map(({ message }) => message),
      };
    }

    it("the header must be sealed by validators that the auditor knows", async () => {
      const of = { validators: [{ fromBlock: 0, validators: addresses }] };
      const good = await said(await qbftHeader(validators.slice(0, 5)), of);
      assert.deepEqual([good.sealedBy, good.sealed], ["validators", []]);
      const short = await said(await qbftHeader(validators.slice(0, 4)), of);
      assert.deepEqual([short.sealedBy, short.sealed.length], ["nobody", 1]);
      const forged = await said(await cliqueHeader(validators[3]!), of);
      assert.deepEqual([forged.sealedBy, forged.sealed.length], ["nobody", 1]);
    });

    describe("of a Clique chain", () => {
      const of = { consensus: "clique", validators: known.validators } as const;
      /** The anchor, then its children, each sealed by the next of these. */
      async function row(...signers: typeof validators): Promise<Uint8Array[]> {
        const headers: Uint8Array[] = [];
        for (const [i, signer] of signers.entries()) {
          const parent = headers.at(-1);
          const parentHash = parent && headerHash(decodeHeader(parent));
          headers.push(
            await cliqueHeader(signer, false, { number: toHex(0x1234 + i), ...(parentHash && { parentHash }) }),
          );
        }
        return headers;
      }

      it("more than half of the validators must have sealed the block and its children in a row", async () => {
        const [anchor, ...children] = await row(...validators.slice(0, 4));
        const good = await said(anchor!, of, children);
        assert.deepEqual([good.sealedBy, good.sealed], ["validators", []]);
        assert.match(good.seals, /4 of 7 validators.*4 are needed/);
        const short = await said(anchor!, of, children.slice(0, 2));
        assert.match(short.sealed.join(), /3 of 7 validators.*4 are needed/);
      });

      it("a signer that seals several of the blocks counts once", async () => {
        const [anchor, ...children] = await row(...Array.from({ length: 7 }, () => validators[3]!));
        assert.match((await said(anchor!, of, children)).sealed.join(), /1 of 7 validators/);
      });

      it("a child sealed by a stranger, or of another block, is refused", async () => {
        const [anchor, ...children] = await row(...validators.slice(0, 3), stranger);
        assert.match((await said(anchor!, of, children)).sealed.join(), /no validator/);
        const [, , ...elsewhere] = await row(...validators.slice(0, 6));
        assert.ok((await said(anchor!, of, elsewhere)).deviations.some(({ code }) => code === "HEADER_PARENT"));
      });

      it("without a list of validators the report calls it one signer's word", async () => {
        const { sealedBy, seals } = await said(await cliqueHeader(validators[3]!), { consensus: "clique" });
        assert.deepEqual([sealedBy, /one signer's word/.test(seals)], ["itself", true]);
      });
    });

    it("the report says if the validators are those that the header names", async () => {
      const report = await said(await qbftHeader(validators.slice(0, 5)), {});
      assert.equal(report.sealedBy, "itself");
      assert.match(report.seals, /header's own/);
    });

    it("the list of validators that applies to the block is used", async () => {
      const lists = [
        { fromBlock: 0, validators: addresses },
        { fromBlock: 0x1234, validators: [stranger.address] },
      ];
      assert.equal((await said(await qbftHeader(validators), { validators: lists })).sealed.length, 1);
      const later = [lists[0]!, { ...lists[1]!, fromBlock: 0x1235 }];
      assert.equal((await said(await qbftHeader(validators), { validators: later })).sealed.length, 0);
    });
  });
});
