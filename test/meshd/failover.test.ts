import { strict as assert } from "node:assert";
import { monotonicMillis } from "../../agent/model/time.ts";
import { until } from "./helpers/client.ts";
import { agree, applyEverywhere, bothWays, type MeshPlan } from "./helpers/meshes.ts";
import { differences, fullSnapshot, run, TestNetwork } from "./helpers/network.ts";
import { Pings } from "./helpers/pings.ts";
import { Stream } from "./helpers/stream.ts";

const ALL = [1, 2, 3, 4];

describe("meshd: four regions, one buyer, spokes and a path around", function () {
  this.timeout(120_000);
  let network: TestNetwork;
  let untouched: readonly string[];
  let plan: MeshPlan;
  const snapshots = (): Promise<string[]> => Promise.all(network.nodes.map((node) => fullSnapshot(node.router)));

  before(async () => {
    network = await TestNetwork.up(4);
    untouched = await snapshots();
    for (const index of ALL) await network.start(index);
    const links = [];
    for (const [a, b] of [
      [1, 2],
      [1, 3],
      [1, 4],
      [2, 3],
      [3, 4],
    ] as const) {
      links.push(await agree(network, a, b, { buyers: [1] }));
    }
    plan = { links, transit: new Map([[1, ALL]]), flows: bothWays(1, [2, 3, 4]) };
    await applyEverywhere(network, plan, ALL);
    await spokesCarry();
    // What arrives came over the mesh.
    for (const index of ALL) await network.losePeering(index);
  });
  after(async () => network?.down());

  /** Of bulk, as the stream's packets are: of the other classes links this short differ by less than 1 ms, and keep what came first. */
  async function pathIs(
    index: number,
    destination: number,
    pleases: (path: readonly number[]) => boolean,
  ): Promise<void> {
    await until(
      () => network.client(index).ask("measurements", {}),
      ({ meshes }) =>
        meshes[0]?.routes.some(
          (route) => route.destination === destination && route.trafficClass === "bulk" && pleases(route.path),
        ) === true,
    );
  }

  /** Each spoke's traffic to the buyer, and the buyer's to the first one, takes the link between them. */
  async function spokesCarry(): Promise<void> {
    for (const index of ALL) await pathIs(index, index === 1 ? 2 : 1, (path) => path.length === 1);
  }

  const stream = (from: number, to: number): Promise<Stream> =>
    Stream.between(network.node(from).host, network.node(to).host, network.node(to).hostAddress.ipv4, 10);

  /** Packets that arrived once `more` came after this call. */
  async function arrivals(of: Stream, more: number): Promise<readonly number[]> {
    const before = of.arrivals.length;
    await until(
      async () => of.arrivals.length,
      (count) => count >= before + more,
    );
    return of.arrivals.map(({ number }) => number);
  }

  /** The next hop of region 1 that carries the stream: far more than the probes, which are 20 a second. */
  async function carrierOf(of: Stream): Promise<number> {
    const sent = async () =>
      new Map((await network.client(1).ask("counters", {})).links.map((link) => [link.linkId, link.sentPackets]));
    const before = await sent();
    await arrivals(of, 100);
    const after = await sent();
    const grown = (link: MeshPlan["links"][number]) => (after.get(link.id) ?? 0) - (before.get(link.id) ?? 0);
    const [most] = plan.links.filter(({ a }) => a === 1).sort((a, b) => grown(b) - grown(a));
    assert.ok(most && grown(most) >= 90);
    return most.b;
  }

  /** Nothing arrives over the peering, also after the cables were put right. */
  async function healCables(indexes: readonly number[]): Promise<void> {
    await Promise.all(indexes.map((index) => network.heal(index)));
    await Promise.all(indexes.map((index) => network.losePeering(index)));
  }

  it("a cable that is cut silently, both ways, is left for the path around by both ends, and the stream goes on", async () => {
    const watched = await stream(1, 2);
    await arrivals(watched, 20);
    const cutAt = monotonicMillis();
    await Promise.all([network.lose(1, 2), network.lose(2, 1)]);
    await pathIs(1, 2, (path) => path.length === 2);
    await pathIs(2, 1, (path) => path.length === 2);
    await arrivals(watched, 20);
    console.log(`      gap ${watched.maxGapMillis(cutAt).toFixed(0)} ms`);
    watched.stop();
    for (const [index, peer] of [
      [1, 2],
      [2, 1],
    ] as const) {
      await until(
        () => network.client(index).ask("measurements", {}),
        ({ meshes }) =>
          meshes[0]?.changes.some(
            ({ what, reason }) =>
              what.startsWith(`link to ${peer} `) && /^no probe|^the peer has not heard us/.test(reason),
          ) === true,
      );
    }
    await healCables([1, 2]);
    await spokesCarry();
  });

  it("an orderly end of a meshd that others pass through loses no packet", async () => {
    // From 1 to 3 two paths are left, through 2 and through 4.
    await Promise.all([network.lose(1, 3), network.lose(3, 1)]);
    await pathIs(1, 3, (path) => path.length === 2);
    const watched = await stream(1, 3);
    const through = await carrierOf(watched);
    await network.stop(through, "SIGTERM");
    const numbers = await arrivals(watched, 50);
    watched.stop();
    const lost = (numbers.at(-1) ?? 0) - (numbers[0] ?? 0) + 1 - new Set(numbers).size;
    assert.equal(lost, 0);
    const { meshes } = await network.client(1).ask("measurements", {});
    const bulk = meshes[0]?.routes.filter(
      ({ destination, trafficClass }) => destination === 3 && trafficClass === "bulk",
    );
    assert.deepEqual(
      bulk?.map(({ nextHops }) => nextHops.map(({ region }) => region)),
      [[through === 2 ? 4 : 2]],
    );
    await network.start(through);
    await applyEverywhere(network, plan, [through]);
    await healCables([1, 3]);
    await spokesCarry();
  });

  it("INV-10: kill -9 of every meshd leaves tunnels running, which the next ones adopt without a new handshake", async () => {
    const devices = await Promise.all(
      ALL.map(async (index) => (await network.client(index).ask("snapshot", {})).devices),
    );
    assert.deepEqual(
      devices.map(({ length }) => length),
      [3, 2, 3, 2],
    );
    const tunnels = () =>
      Promise.all(
        network.nodes.map(async ({ index, router }, place) => ({
          processes: network.tunnels(index),
          handshakes: await Promise.all(
            (devices[place] ?? []).map((device) => run(router, "wg", ["show", device, "latest-handshakes"])),
          ),
        })),
      );
    const before = await tunnels();
    await Promise.all(ALL.map((index) => network.stop(index, "SIGKILL")));
    await new Pings("while no meshd runs", network.node(1).host, network.node(2).hostAddress.ipv4).lossless(20);
    await Promise.all(ALL.map((index) => network.start(index)));
    await applyEverywhere(network, plan, ALL);
    await spokesCarry();
    await new Pings("over adopted tunnels", network.node(1).host, network.node(2).hostAddress.ipv4).lossless(20);
    assert.deepEqual(await tunnels(), before);
  });

  it("INV-10: after removeMesh every router is byte for byte what it was", async () => {
    for (const index of ALL) await network.heal(index);
    for (const index of ALL) await network.client(index).ask("removeMesh", { meshId: 1 as never });
    assert.deepEqual(differences(untouched, await snapshots()), []);
  });
});
