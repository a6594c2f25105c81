import { expect } from "chai";
import { keccak256, stringToBytes } from "viem";
import { isIpv6 } from "../../agent/model/address.ts";
import { parsePrefix } from "../../agent/model/prefix.ts";
import { admissionOf, Market, placeAt, refusalOf, type TestRegion, testKey } from "./market.ts";

const ZERO = `0x${"00".repeat(20)}` as const;

describe("Membership", function () {
  this.timeout(60_000);
  let market: Market;
  beforeEach(async () => {
    market = await Market.create(3);
  });
  const admission = (changes: Partial<ReturnType<typeof admissionOf>> = {}) => ({
    ...admissionOf(9, testKey("treasury 9").address, testKey("agent 9").address),
    ...changes,
  });
  const admit = (changes: Partial<ReturnType<typeof admissionOf>> = {}, by = market.consortium) =>
    market.send(by, "membership", "admit", [admission(changes)]);
  const refused = async (sending: Promise<unknown>) => (await refusalOf(sending)).name;
  const region = (id: number) =>
    market.read<{
      agent: string;
      treasury: string;
      prefixes: readonly unknown[];
      suspended: boolean;
      controlUrls: readonly unknown[];
    }>("membership", "region", [id]);

  it("stores everything attested, readable by number, name, agent key and routing key", async () => {
    await admit();
    const { prefixes, controlUrls, ...kept } = await region(4);
    const { organisation, place, attributes, fabrics, name, treasury, agent, routingKey } = admission();
    const given = { organisation, place, attributes, fabrics, name, treasury, agent, routingKey };
    expect(kept).to.deep.include({ id: 4, ...given, suspended: false });
    expect([prefixes.length, controlUrls.length]).to.deep.equal([1, 1]);
    expect(await market.read("membership", "regionByName", [keccak256(stringToBytes("region-9"))])).to.equal(4);
    expect(await market.read("membership", "regionByAgent", [testKey("agent 9").address])).to.equal(4);
    expect(await market.read("membership", "regionByRoutingKey", [admission().routingKey])).to.equal(4);
    expect(await refused(market.read("membership", "region", [5]))).to.equal("UnknownRegion");
  });

  it("admission, suspension, attestation, fabrics and prefixes are restricted to the consortium", async () => {
    const { treasury } = market.region(1);
    const prefix = parsePrefix("10.200.0.0/16");
    const calls: [string, readonly unknown[]][] = [
      ["admit", [admission()]],
      ["suspend", [2]],
      ["reinstate", [2]],
      ["attest", [1, 1, placeAt(0, 0), 0, 1n]],
      ["addFabric", ["x"]],
      ["addPrefix", [1, prefix]],
      ["removePrefix", [1, prefix]],
    ];
    for (const [fn, args] of calls)
      expect(await refused(market.send(treasury, "membership", fn, args)), fn).to.equal("AccessManagedUnauthorized");
  });

  it("names, agent keys and routing keys belong to one region, also after they were replaced", async () => {
    expect(await refused(admit({ name: "region-1" }))).to.equal("NameTaken");
    expect(await refused(admit({ agent: market.region(2).agent.address }))).to.equal("AgentKeyTaken");
    expect(await refused(admit({ routingKey: admissionOf(2, ZERO, ZERO).routingKey }))).to.equal("RoutingKeyTaken");
    await market.send(market.region(2).treasury, "membership", "replaceAgent", [2, testKey("new").address]);
    await market.send(market.region(2).treasury, "membership", "replaceRoutingKey", [2, keccak256("0x01")]);
    expect(await refused(admit({ agent: market.region(2).agent.address }))).to.equal("AgentKeyTaken");
    expect(await refused(admit({ routingKey: admissionOf(2, ZERO, ZERO).routingKey }))).to.equal("RoutingKeyTaken");
    expect(await market.read("membership", "regionByAgent", [market.region(2).agent.address])).to.equal(0);
    expect(await market.read("membership", "regionByRoutingKey", [admissionOf(2, ZERO, ZERO).routingKey])).to.equal(0);
  });

  it("refuses missing fields, a place that is not on the globe, and unknown fabrics", async () => {
    expect(await refused(admit({ name: "" }))).to.equal("MissingField");
    expect(await refused(admit({ treasury: ZERO }))).to.equal("MissingField");
    expect(await refused(admit({ agent: ZERO }))).to.equal("MissingField");
    expect(await refused(admit({ routingKey: `0x${"00".repeat(32)}` }))).to.equal("MissingField");
    expect(await refused(admit({ place: { x: 0, y: 0, z: 0 } }))).to.equal("NotAUnitVector");
    expect(await refused(admit({ place: { x: -(2 ** 31), y: -(2 ** 31), z: -(2 ** 31) } }))).to.equal("NotAUnitVector");
    expect(await refused(admit({ fabrics: 4n }))).to.equal("UnknownFabric");
    for (let latitude = -90; latitude <= 90; latitude += 22.5)
      await market.send(market.consortium, "membership", "attest", [1, 1, placeAt(latitude, latitude * 2), 1, 1n]);
  });

  it("the treasury changes in two steps, and the new one must be able to sign", async () => {
    const [one, two] = [market.region(1), market.region(2)] as [TestRegion, TestRegion];
    expect(
      await refused(market.send(two.treasury, "membership", "proposeTreasury", [1, two.treasury.address])),
    ).to.equal("NotTreasury");
    await market.send(one.treasury, "membership", "proposeTreasury", [1, two.treasury.address]);
    expect(await refused(market.send(one.agent, "membership", "acceptTreasury", [1]))).to.equal("NotPendingTreasury");
    expect((await region(1)).treasury).to.equal(one.treasury.address);
    await market.send(two.treasury, "membership", "acceptTreasury", [1]);
    expect((await region(1)).treasury).to.equal(two.treasury.address);
    expect(await refused(market.send(one.treasury, "escrow", "withdraw", [1, 1n]))).to.equal("NotTreasury");
    await market.send(two.treasury, "escrow", "withdraw", [1, 1n]);
  });

  it("a treasury revokes the agent's key at once", async () => {
    const { treasury, agent } = market.region(1);
    await market.send(treasury, "membership", "replaceAgent", [1, ZERO]);
    expect(await refused(market.open({ ...market.region(1), agent }))).to.equal("NotAuthorised");
    expect(await market.read("membership", "signedFor", [1, agent.address, (await market.now()) - 60])).to.equal(true);
    expect(await market.read("membership", "signedFor", [1, agent.address, (await market.now()) + 60])).to.equal(false);
  });

  it("two regions can be without an agent: the zero address is no key", async () => {
    for (const id of [1, 2]) await market.send(market.region(id).treasury, "membership", "replaceAgent", [id, ZERO]);
    expect((await region(2)).agent).to.equal(ZERO);
    expect(await market.read("membership", "regionByAgent", [ZERO])).to.equal(0);
    await market.send(market.region(1).treasury, "membership", "replaceAgent", [1, testKey("fresh").address]);
  });

  it("agent and treasury can change control URLs", async () => {
    const urls = [{ fabric: 255, url: "https://one.example:7357" }];
    await market.send(market.region(1).agent, "membership", "replaceControlUrls", [1, urls]);
    expect((await region(1)).controlUrls).to.deep.equal(urls);
    expect(await refused(market.send(market.region(2).agent, "membership", "replaceControlUrls", [1, urls]))).to.equal(
      "NotAuthorised",
    );
  });

  it("suspends and reinstates; a suspended region keeps its number", async () => {
    await market.send(market.consortium, "membership", "suspend", [2]);
    expect(await refused(market.send(market.consortium, "membership", "suspend", [2]))).to.equal("AlreadySuspended");
    await market.send(market.consortium, "membership", "attest", [2, 2, placeAt(10, 10), 1, 1n]);
    expect((await region(2)).suspended).to.equal(true);
    await market.send(market.consortium, "membership", "reinstate", [2]);
    expect(await refused(market.send(market.consortium, "membership", "reinstate", [2]))).to.equal("NotSuspended");
    expect(await refused(market.send(market.consortium, "membership", "suspend", [9]))).to.equal("UnknownRegion");
  });

  describe("INV-9: no two regions hold overlapping prefixes", () => {
    const add = (text: string, id = 1) =>
      market.send(market.consortium, "membership", "addPrefix", [id, parsePrefix(text)]);
    const holder = async (ip: string) => {
      const [id] = await market.read<readonly [number, unknown]>("membership", "holderOf", [
        parsePrefix(`${ip}/${isIpv6(ip) ? 128 : 32}`).network,
      ]);
      return id;
    };

    it("refuses the same prefix, a part of it and one that contains it, in IPv4 and IPv6", async () => {
      await add("172.16.0.0/16", 1);
      await add("2001:db8:1::/48", 2);
      for (const text of [
        "172.16.0.0/16",
        "172.16.4.0/24",
        "172.16.255.255/32",
        "172.0.0.0/8",
        "172.16.0.0/15",
        "2001:db8:1::/48",
        "2001:db8:1:2::/64",
        "2001:db8::/32",
      ])
        expect(await refused(add(text, 3)), text).to.equal("Overlap");
      await add("172.17.0.0/16", 3);
      await add("172.15.0.0/16", 3);
      await add("2001:db8:2::/48", 3);
      expect([await holder("172.16.9.9"), await holder("172.17.0.1"), await holder("172.18.0.1")]).to.deep.equal([
        1, 3, 0,
      ]);
      expect([await holder("2001:db8:1::1"), await holder("2001:db8:3::1")]).to.deep.equal([2, 0]);
    });

    it("removes one of several prefixes of a region and keeps the others", async () => {
      const id = (await market.admit()).id;
      const [first, second, third] = ["10.61.0.0/16", "10.62.0.0/16", "10.63.0.0/16"].map(parsePrefix) as [
        ReturnType<typeof parsePrefix>,
        ReturnType<typeof parsePrefix>,
        ReturnType<typeof parsePrefix>,
      ];
      for (const prefix of [first, second, third])
        await market.send(market.consortium, "membership", "addPrefix", [id, prefix]);
      await market.send(market.consortium, "membership", "removePrefix", [id, second]);
      const { prefixes } = await market.read<{ prefixes: { network: bigint }[] }>("membership", "region", [id]);
      expect(prefixes.map(({ network }) => network)).to.include.members([first.network, third.network]);
      expect(prefixes.map(({ network }) => network)).not.to.include(second.network);
    });

    it("refuses host bits, network 0 and lengths outside 1 to 128", async () => {
      const raw = (network: bigint, length: number) =>
        market.send(market.consortium, "membership", "addPrefix", [1, { network, length }]);
      expect(await refused(raw(parsePrefix("10.250.0.0/16").network + 1n, 112))).to.equal("NotCanonical");
      for (const [network, length] of [
        [0n, 0],
        [0n, 96],
        [1n, 129],
      ] as const)
        expect(await refused(raw(network, length))).to.equal("NotCanonical");
    });

    it("the longest and the shortest prefixes cover all their addresses", async () => {
      const held = async (network: bigint, length: number, id: number) =>
        market.send(market.consortium, "membership", "addPrefix", [id, { network, length }]);
      const top = 1n << 127n;
      await held(top, 1, 1);
      for (const ip of [top, 2n ** 128n - 1n])
        expect((await market.read<readonly [number, object]>("membership", "holderOf", [ip]))[0]).to.equal(1);
      expect(await refused(held(top, 128, 2))).to.equal("Overlap");
      const low = 1n << 100n;
      await held(low, 128, 2);
      await held(low + 2n, 127, 3);
      const holders = [low, low + 1n, low + 2n, low + 3n, low + 4n].map(
        async (ip) => (await market.read<readonly [number, object]>("membership", "holderOf", [ip]))[0],
      );
      expect(await Promise.all(holders)).to.deep.equal([2, 0, 3, 3, 0]);
    });

    it("a removed prefix can be given to another region; a prefix not held cannot be removed", async () => {
      await add("172.16.0.0/16", 1);
      const remove = (id: number, text: string) =>
        market.send(market.consortium, "membership", "removePrefix", [id, parsePrefix(text)]);
      expect(await refused(remove(2, "172.16.0.0/16"))).to.equal("NotHeld");
      expect(await refused(remove(1, "172.16.0.0/17"))).to.equal("NotHeld");
      await remove(1, "172.16.0.0/16");
      expect(await holder("172.16.0.1")).to.equal(0);
      await add("172.16.128.0/17", 2);
      expect((await region(1)).prefixes.length).to.equal(1);
    });

    it("an empty node cannot be removed: that would cut the list and let overlaps pass", async () => {
      await add("10.72.0.0/16", 2);
      const { network } = parsePrefix("10.71.0.0/16");
      for (const [id, expected] of [
        [0, "UnknownRegion"],
        [999, "UnknownRegion"],
        [1, "NotHeld"],
      ] as const) {
        const sent = market.send(market.consortium, "membership", "removePrefix", [id, { network, length: 0 }]);
        expect(await refused(sent.then(() => Promise.reject(new Error(`${id} may`)))), `${id}`).to.equal(expected);
      }
      expect(await refused(add("10.72.0.0/17", 3))).to.equal("Overlap");
      expect(await holder("10.72.0.1")).to.equal(2);
    });

    it("agrees with a naive list over many random prefixes", async () => {
      const naive: { network: bigint; length: number; id: number }[] = [];
      let seed = 42;
      const next = (below: number) => {
        seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
        return Math.floor((seed / 2 ** 31) * below);
      };
      for (let i = 0; i < 150; i++) {
        const length = 116 + next(13);
        const network =
          (parsePrefix(`192.168.${next(256)}.${next(256)}/32`).network >> BigInt(128 - length)) << BigInt(128 - length);
        const overlaps = naive.some((p) => {
          const shift = BigInt(128 - Math.min(p.length, length));
          return p.network >> shift === network >> shift;
        });
        const adding = market.send(market.consortium, "membership", "addPrefix", [1 + next(3), { network, length }]);
        if (overlaps) expect(await refused(adding)).to.equal("Overlap");
        else {
          await adding;
          naive.push({ network, length, id: 1 });
        }
      }
      expect(naive.length).to.be.greaterThan(20);
    });
  });
});
