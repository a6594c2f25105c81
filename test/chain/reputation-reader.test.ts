import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Hex, pad, toHex } from "viem";
import { JsonRpc, type RpcCall } from "../../agent/chain/json-rpc.ts";
import { ReputationReader } from "../../agent/chain/reputation-reader.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import { Audit, type AuditTerms } from "../../agent/reputation/audit.ts";
import { decodeHeader } from "../../agent/reputation/proof/header.ts";

const filled = (bytes: number) => pad("0x", { size: bytes });
const block = (number: number) => ({
  ...{ hash: filled(32), parentHash: filled(32), sha3Uncles: filled(32), miner: filled(20), stateRoot: filled(32) },
  ...{ transactionsRoot: filled(32), receiptsRoot: filled(32), logsBloom: filled(256), difficulty: "0x0" },
  ...{ number: toHex(number), gasLimit: "0x1", gasUsed: "0x0", timestamp: "0x5f5e1000", extraData: "0x" },
  ...{ mixHash: filled(32), nonce: filled(8) },
});
const terms: AuditTerms = {
  ...{ chainId: 1, reputation: filled(20), escrow: filled(20), membership: filled(20), fromBlock: 1, fullBond: 1n },
  ...{ consensus: null, validators: [], region: null },
};
const four = [1, 2, 3, 4].map((i): Hex => pad(toHex(i), { size: 20 }));
const clique: AuditTerms = { ...terms, consensus: "clique", validators: [{ fromBlock: 0, validators: four }] };

describe("chain/reputation-reader", () => {
  const HEAD = 100;
  let node: Server;
  let rpc: JsonRpc;
  /** The block that it gives for this number. */
  let given: (asked: number) => number;
  const answerTo = ({ method, params }: RpcCall): unknown => {
    if (method === "eth_chainId") return "0x1";
    if (method === "eth_blockNumber") return toHex(HEAD);
    const number = given(params[0] === "latest" ? HEAD : Number(params[0]));
    return number > HEAD ? null : block(number);
  };
  before(async () => {
    node = createServer(async (request, response) => {
      const calls = JSON.parse((await request.toArray()).join("")) as (RpcCall & { id: number })[];
      response.end(JSON.stringify(calls.map((call) => ({ id: call.id, result: answerTo(call) }))));
    });
    await new Promise<void>((listening) => node.listen(0, "127.0.0.1", listening));
    rpc = new JsonRpc(`http://127.0.0.1:${(node.address() as AddressInfo).port}`);
  });
  beforeEach(() => {
    given = (asked) => asked;
  });
  after(() => {
    node.closeAllConnections();
    node.close();
  });

  /** Numbers of the anchor and its children. */
  async function top(of: AuditTerms, upTo: number | "latest"): Promise<number[]> {
    const reader = new ReputationReader(rpc, of, { everyBlock: true, onProgress: () => undefined });
    const numbers: number[] = [];
    for await (const said of reader.records(new Audit(of), upTo, null)) {
      if (said.kind !== "anchor" && said.kind !== "child") break;
      numbers.push(decodeHeader(said.header).number);
    }
    return numbers;
  }

  it("a node that gives another block than the one that was asked for is refused", async () => {
    given = () => 7;
    await assert.rejects(
      top(terms, 90),
      (error) => error instanceof EphemeshError && error.code === "RPC_MALFORMED" && /block 90.*7/.test(error.message),
    );
  });

  it("Clique: the block comes with the children that its seals ask for, as many as there are", async () => {
    assert.deepEqual(await top(clique, 90), [90, 91, 92]);
    assert.deepEqual(await top(clique, HEAD - 1), [HEAD - 1, HEAD]);
  });

  it("Clique: the latest block is the latest that has them", async () =>
    assert.deepEqual(await top(clique, "latest"), [HEAD - 2, HEAD - 1, HEAD]));

  it("elsewhere the latest block is the head, without children", async () =>
    assert.deepEqual(await top(terms, "latest"), [HEAD]));
});
