import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { CHAIN_ID, ChainNode } from "../../lab/chain/chain-node.ts";
import { Lab } from "../../lab/lab.ts";
import { uniformTopology } from "../../lab/layout/topology.ts";

interface Block {
  readonly number: string;
  readonly timestamp: string;
  readonly baseFeePerGas: string;
}

describe("lab/chain-node: the embedded chain", function () {
  this.timeout(60_000);
  const latest = async (node: ChainNode) => (await node.request("eth_getBlockByNumber", ["latest", false])) as Block;

  it("starts at the given time, charges nothing for gas, and mines a block for each transaction", async () => {
    const node = await ChainNode.start({ genesisTimestamp: 1_700_000_000 });
    try {
      assert.deepEqual(
        await latest(node).then(({ number, timestamp, baseFeePerGas }) => [
          number,
          Number(timestamp),
          Number(baseFeePerGas),
        ]),
        ["0x0", 1_700_000_000, 0],
      );
      const [account] = (await node.request("eth_accounts")) as string[];
      const hash = await node.request("eth_sendTransaction", [
        { from: account, to: account, value: "0x0", gasPrice: "0x0" },
      ]);
      let receipt: unknown = null;
      while (receipt === null) receipt = await node.request("eth_getTransactionReceipt", [hash]);
      assert.equal((await latest(node)).number, "0x1");
    } finally {
      await node.stop();
    }
  });

  it("keeps its state across an orderly stop", async () => {
    const dir = await mkdtemp(`${tmpdir()}/ephemesh-chain-`);
    try {
      const stateFile = `${dir}/state.json`;
      const first = await ChainNode.start({ stateFile });
      await first.request("anvil_mine", ["0x5"]);
      await first.stop();
      const second = await ChainNode.start({ stateFile });
      const height = (await latest(second)).number;
      await second.stop();
      assert.equal(height, "0x5");
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it("in a lab every router reaches it over the management LAN, and this process via a relay on the loopback", async () => {
    const lab = await Lab.up({ topology: uniformTopology({ regions: 2, rttMillis: 1 }) });
    try {
      const node = await ChainNode.start({ lab });
      await node.setBlockTime(1);
      const ask = `fetch(process.argv[1], {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify({jsonrpc: "2.0", id: 1, method: "eth_chainId"})}).then(r => r.json()).then(r => console.log(Number(r.result)))`;
      for (const region of ["r1", "r2"]) {
        assert.equal(await lab.exec(region, [process.execPath, "-e", ask, node.regionRpcUrl]), String(CHAIN_ID));
      }
      assert.equal(Number(await node.request("eth_chainId")), CHAIN_ID);
      await assert.rejects(lab.exec("r1/host", ["ping", "-c", "1", "-W", "1", "172.31.0.1"]));
    } finally {
      await lab.down();
    }
  });

  it("a port in use is an error that says so, and no other node is used", async () => {
    const squatter = createServer().listen(0, "127.0.0.1");
    await once(squatter, "listening");
    const address = squatter.address();
    assert.ok(typeof address === "object" && address !== null);
    await assert.rejects(ChainNode.start({ port: address.port }), { code: "CHAIN_NODE_FAILED" });
    squatter.close();
  });
});
