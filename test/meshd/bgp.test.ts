import { strict as assert } from "node:assert";
import { execa } from "execa";
import { BgpSpeaker } from "./helpers/bgp-speaker.ts";
import { until } from "./helpers/client.ts";
import { agree, applyEverywhere, bothWays, type MeshPlan, untilDirect } from "./helpers/meshes.ts";
import { differences, fullSnapshot, inside, run, TestNetwork } from "./helpers/network.ts";
import { Pings } from "./helpers/pings.ts";

const FOREIGN_RULES = 500;

/** Everything between "accept what is ours" and "drop": what an operator with a closed firewall lets pass. */
const firewall = `
table inet operator {
  chain forward {
    type filter hook forward priority filter; policy drop;
    iifname "lan0" oifname "up0" accept
    iifname "up0" oifname "lan0" accept
    iifname "eph*" accept
    oifname "eph*" accept
  }
}
table ip others {
  set bogons {
    type ipv4_addr; flags interval; elements = { 203.0.113.0/24 }
  }
}
table ip6 others {
  chain c {
    type filter hook forward priority 0; policy accept;
  }
}
`;

describe("meshd: on a router with BGP, strict reverse paths, a closed firewall and many rules of others", function () {
  this.timeout(120_000);
  let network: TestNetwork;
  let own: BgpSpeaker;
  let neighbour: BgpSpeaker;
  let untouched: string;
  let announced: readonly string[];
  const router = () => network.node(1).router;

  before(async () => {
    network = await TestNetwork.up(2);
    // The neighbour lives where the other end of the peering does: on its LAN, with an address of its own.
    await inside(network.core, ["address add 198.18.0.99/24 dev br1", "link set lo up"]);
    for (const device of ["all", "up0", "ix0", "lan0"]) {
      await run(router(), "sysctl", ["-qw", `net.ipv4.conf.${device}.rp_filter=1`]);
    }
    await execa("ip", ["netns", "exec", router(), "nft", "-f", "-"], { input: firewall });
    await inside(
      router(),
      Array.from(
        { length: FOREIGN_RULES },
        (_, i) => `rule add pref ${7000 + i} from 203.0.${i >> 8}.${i & 255} lookup ${1000 + i}`,
      ),
    );
    const [a, b] = [
      { asNumber: 64_501, address: "198.18.0.1" },
      { asNumber: 64_502, address: "198.18.0.99" },
    ];
    [own, neighbour] = await Promise.all([
      BgpSpeaker.start({ namespace: router(), ...a, neighbour: b }, network.directory),
      BgpSpeaker.start({ namespace: network.core, ...b, neighbour: a }, network.directory),
    ]);
    await Promise.all([own.established(), neighbour.established()]);
    announced = await until(
      () => neighbour.prefixes(),
      (prefixes) => prefixes.includes("10.1.0.0/16") && prefixes.includes("192.0.2.0/24"),
    );
    await until(
      () =>
        execa("ip", ["netns", "exec", network.node(1).host, "ping", "-c", "1", "-W", "1", "198.18.0.99"], {
          reject: false,
        }),
      ({ exitCode }) => exitCode === 0,
    );
    untouched = await snapshot();
    await Promise.all([network.start(1), network.start(2)]);
  });
  after(async () => {
    for (const speaker of [own, neighbour]) speaker?.stop();
    await network?.down();
  });

  /** But for zebra's own next-hop objects, which it makes of whatever routes it sees and keeps for a while. */
  async function snapshot(): Promise<string> {
    const lines = (await fullSnapshot(router())).split("\n");
    return lines.filter((line) => !/^id \d+ .*proto zebra/.test(line)).join("\n");
  }

  it("INV-10: while a mesh comes, carries and goes, BGP, its neighbour and others' traffic notice nothing", async () => {
    const before = await own.session();
    // What is in no pair of the mesh: a host behind the router toward the neighbour, and the router itself.
    const pings = [
      new Pings("a host's ping through the router", network.node(1).host, "198.18.0.99"),
      new Pings("the router's own ping to the other region", router(), network.node(2).hostAddress.ipv4),
    ];
    const link = await agree(network, 1, 2, { buyers: [1] });
    const plan: MeshPlan = { links: [link], transit: new Map([[1, [1, 2]]]), flows: bothWays(1, [2]) };
    await applyEverywhere(network, plan, [1, 2]);
    await untilDirect(network, [1, 2]);
    const sent = async () => (await network.client(1).ask("counters", {})).links[0]?.sentPackets ?? 0;
    const sentBefore = await sent();
    await new Pings("over the mesh", network.node(1).host, network.node(2).hostAddress.ipv4).lossless(40);
    assert.ok((await sent()) - sentBefore >= 40, "the mesh carried it, past the closed firewall");
    assert.deepEqual(await neighbour.prefixes(), announced, JSON.stringify(await own.session()));
    for (const index of [1, 2]) await network.client(index).ask("removeMesh", { meshId: 1 as never });
    for (const ping of pings) await ping.lossless();
    assert.deepEqual(await neighbour.prefixes(), announced, JSON.stringify(await own.session()));
    const { connectionsEstablished, connectionsDropped, bgpState } = (await own.session()) ?? {};
    assert.deepEqual(
      { connectionsEstablished, connectionsDropped, bgpState },
      {
        connectionsEstablished: before?.connectionsEstablished,
        connectionsDropped: before?.connectionsDropped,
        bgpState: "Established",
      },
    );
    assert.deepEqual(differences([untouched], [await snapshot()]), []);
  });
});
