import assert from "node:assert/strict";
import { monotonicMillis } from "../../agent/model/time.ts";
import { Lab } from "../../lab/lab.ts";
import { fabricAddress } from "../../lab/layout/addressing.ts";
import { uniformTopology } from "../../lab/layout/topology.ts";
import type { StreamRecord } from "../../lab/traffic/arrivals.ts";
import { Stream } from "../../lab/traffic/stream.ts";
import { Transfer } from "../../lab/traffic/transfer.ts";

const RTT_MILLIS = 20;

interface Pings {
  readonly received: number;
  /** In order of arrival. */
  readonly rttMillis: readonly number[];
}

describe("lab: cables and faults have their configured effect (real namespaces)", function () {
  this.timeout(60_000);
  let lab: Lab;
  before(async () => {
    lab = await Lab.up({
      fabrics: "wire",
      topology: uniformTopology({ regions: 3, rttMillis: RTT_MILLIS, peeringMbps: 20, pairMbps: 200 }),
    });
  });
  after(() => lab.down());
  afterEach(async () => {
    await lab.heal();
  });

  async function ping(from: string, address: string, count: number): Promise<Pings> {
    // Its exit code says that answers are missing; here that is a figure like others.
    const command = ["ping", "-n", "-c", String(count), "-i", "0.01", "-W", "1", address] as const;
    const output = await lab.exec(from, ["sh", "-c", '"$@" || true', "sh", ...command]);
    const rttMillis = [...output.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]));
    return { received: rttMillis.length, rttMillis };
  }
  const overFabric = (region: number) => fabricAddress(1, region).ipv4;
  const overPeering = (region: number) => fabricAddress(0, region).ipv4;
  const median = (values: readonly number[]) =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

  it("a round trip takes as long as the topology says, the shortest at most half a millisecond more", async () => {
    const { rttMillis } = await ping("r1", overFabric(2), 100);
    // Of the shortest alone: the others also tell how busy the machine is.
    const shortest = Math.min(...rttMillis);
    assert.ok(shortest >= RTT_MILLIS && shortest <= RTT_MILLIS + 0.5, `shortest ${shortest}`);
  });

  /** One-way figures of 1,000 packets from host to host, over the peering. */
  async function burst(): Promise<StreamRecord> {
    const stream = await Stream.start(lab, { from: "r1", to: "r2", intervalMillis: 2 });
    await stream.arrival(monotonicMillis() + 2000);
    return stream.stop();
  }

  it("jitter spreads the delay up to its bound and does not reorder", async () => {
    await lab.jitter("r1", "r2", 5000, { fabric: "peering" });
    const { arrivals } = await burst();
    const delays = arrivals.map((arrival) => arrival.receivedMillis - arrival.sentMillis);
    assert.ok(Math.min(...delays) >= RTT_MILLIS / 2, `shortest ${Math.min(...delays)}`);
    // The order is kept, so a frame waits for the slowest of those before it: most of them nearly the whole bound.
    assert.ok(median(delays) > RTT_MILLIS / 2 + 2.5, `median ${median(delays)}`);
    assert.deepEqual(
      arrivals.map((arrival) => arrival.sequence),
      arrivals.map((arrival) => arrival.sequence).toSorted((x, y) => x - y),
    );
  });

  it("a loss of 20 % in one direction is 20 %, and only in that direction", async () => {
    await lab.loseOneWay("r1", "r2", 200_000, { fabric: "peering" });
    const { sent, arrivals } = await burst();
    // Five standard deviations of a binomial.
    assert.ok(Math.abs(arrivals.length / sent - 0.8) < 5 * Math.sqrt(0.16 / sent), `${arrivals.length} of ${sent}`);
    assert.equal((await lab.readLink({ fabric: "peering", from: "r2", to: "r1" })).lossPpm, 0);
  });

  it("a cut is silent, in both directions, only on the fabrics, and can be healed", async () => {
    await lab.cut("r1", "r2");
    assert.equal((await ping("r1", overFabric(2), 5)).received, 0);
    assert.match(await lab.exec("r1", ["ip", "link", "show", "ix0"]), /LOWER_UP/);
    assert.equal((await ping("r1", overFabric(3), 5)).received, 5);
    assert.equal((await ping("r1", overPeering(2), 5)).received, 5);
    await lab.heal("r1", "r2");
    assert.equal((await ping("r1", overFabric(2), 5)).received, 5);
  });

  it("a cut of one direction leaves the other", async () => {
    await lab.cutOneWay("r1", "r2", { fabric: "peering" });
    const stream = await Stream.start(lab, { from: "r2", to: "r1" });
    await stream.arrival();
    assert.ok((await stream.stop()).arrivals.length > 0);
    assert.equal((await ping("r1", overPeering(2), 5)).received, 0);
  });

  it("a changed delay applies from the next frame on", async () => {
    await lab.delay("r1", "r2", 120);
    assert.ok(Math.min(...(await ping("r1", overFabric(2), 5)).rttMillis) >= 120);
    await lab.delay("r1", "r2", 10);
    assert.ok(Math.min(...(await ping("r1", overFabric(2), 5)).rttMillis) < 120);
  });

  it("all regions together get the rate of the standing peering, and no more", async () => {
    const file = process.execPath;
    const both = await Promise.all([
      Transfer.start(lab, { from: "r1", to: "r2", file }),
      Transfer.start(lab, { from: "r3", to: "r1", file }),
    ]);
    const from = monotonicMillis() + 1000;
    await Promise.all(both.map((transfer) => transfer.reached(1_500_000)));
    await both[0]!.reached(4_500_000);
    const sum = both.reduce((total, transfer) => total + transfer.rateMbps(from, monotonicMillis()), 0);
    await Promise.all(both.map((transfer) => transfer.abort()));
    assert.ok(sum > 20 / 2 && sum < 20, `${sum.toFixed(1)} Mbit/s of 20`);
  });

  it("a limit applies to its pair and to no other", async () => {
    await lab.limit("r1", "r2", 5, { fabric: "peering" });
    const transfer = await Transfer.start(lab, { from: "r1", to: "r2", file: process.execPath });
    await transfer.reached(1_500_000);
    assert.equal((await ping("r1", overPeering(3), 5)).received, 5);
    const rate = transfer.rateMbps(monotonicMillis() - 1500, monotonicMillis());
    await transfer.abort();
    assert.ok(rate > 4 && rate < 5.1, `${rate.toFixed(2)} Mbit/s of 5`);
  });

  it("only its own end sees a device go down, and it comes back with its addresses and routes", async () => {
    const routes = await lab.exec("r1", ["ip", "route", "show"]);
    await lab.setDevice("r1", "up0", "down");
    assert.match(await lab.exec("r1", ["ip", "link", "show", "up0"]), /state DOWN/);
    assert.match(await lab.exec("r2", ["ip", "link", "show", "up0"]), /LOWER_UP/);
    assert.equal((await ping("r2", overPeering(1), 3)).received, 0);
    await lab.setDevice("r1", "up0", "up");
    assert.deepEqual((await lab.exec("r1", ["ip", "route", "show"])).split("\n").sort(), routes.split("\n").sort());
    assert.equal((await ping("r2/host", "10.1.0.10", 3)).received, 3);
    assert.equal((await ping("r2/host", "fd65:7068:1::10", 3)).received, 3);
  });

  it("a killed region loses its processes and every cable, and can be revived", async () => {
    const sleeper = lab.spawnIn("r3", ["sleep", "600"]);
    const elsewhere = lab.spawnIn("r2", ["sleep", "600"]);
    await lab.killRegion("r3");
    assert.equal((await sleeper.exited).signal, "SIGKILL");
    assert.equal((await ping("r1", overFabric(3), 3)).received, 0);
    assert.equal((await ping("r1", overPeering(3), 3)).received, 0);
    assert.equal((await ping("core", "172.31.0.13", 3)).received, 0);
    await lab.reviveRegion("r3");
    assert.equal((await ping("r1", overFabric(3), 3)).received, 3);
    assert.equal((await elsewhere.stop()).signal, "SIGTERM");
  });

  it("a fault between regions that do not exist or do not meet is refused", async () => {
    await assert.rejects(lab.cut("r1", "r9"), { code: "LAB_UNKNOWN_REGION" });
    await assert.rejects(lab.cut("r1", "r1"), { code: "LAB_NO_SUCH_LINK" });
    await assert.rejects(lab.cut("r1", "r2", { fabric: "moon" }), { code: "LAB_UNKNOWN_FABRIC" });
    await assert.rejects(lab.setDevice("r1", "lan0", "down"), { code: "LAB_UNKNOWN_DEVICE" });
  });

  it("the far end notices a file whose bytes changed on the path", async () => {
    const receiver = lab.spawnIn("r2/host", [
      process.execPath,
      new URL("../../lab/traffic/transfer.ts", import.meta.url).pathname,
      "receive",
      "9000",
    ]);
    await receiver.line(/listening/);
    const result = receiver.line(/sha256/);
    // The digest of "abc", and other bytes.
    const digest = "repr-digest: sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:";
    const put = `PUT / HTTP/1.1\r\nhost: r2\r\nconnection: close\r\ncontent-length: 3\r\n${digest}\r\n\r\n`;
    const client = `const s = require("net").connect(9000, "10.2.0.10"); s.write(process.argv[1]); s.pipe(process.stdout);`;
    const send = (body: string) => lab.exec("r1/host", [process.execPath, "-e", client, put + body]);
    assert.match(await send("abd"), /422/);
    assert.equal(JSON.parse(await result).digestMatches, false);
    assert.match(await send("abc"), /200/);
    await receiver.stop();
  });
});
