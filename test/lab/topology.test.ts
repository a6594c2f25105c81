import assert from "node:assert/strict";
import { distanceKm, placeOf } from "../../agent/model/region.ts";
import { topologyLink } from "../../lab/fabric/fabric.ts";
import {
  fabricAddress,
  fabricMac,
  hostAddress,
  managementAddress,
  routerLanAddress,
} from "../../lab/layout/addressing.ts";
import { namespaceOf } from "../../lab/layout/place.ts";
import { membersOf, parseTopology, readTopology, regionIndex, uniformTopology } from "../../lab/layout/topology.ts";
import { sixClouds } from "../../lab/topologies/generate.ts";

const SIX_CLOUDS = new URL("../../lab/topologies/six-clouds.json", import.meta.url);

describe("lab/topology", () => {
  it("six-clouds.json is the generator's output for the measured data", async () => {
    assert.deepEqual(await readTopology(SIX_CLOUDS), await sixClouds());
  });

  it("six clouds: a cell of 40 ms around the opener has four regions, one of 110 ms has six", async () => {
    const { rttMillis } = await readTopology(SIX_CLOUDS);
    const within = (radius: number) => rttMillis[0]!.filter((rtt) => rtt <= radius).length;
    assert.equal(within(40), 4);
    assert.equal(within(110), 6);
  });

  it("coordinates agree with known distances", async () => {
    const { regions } = await readTopology(SIX_CLOUDS);
    const place = (name: string) => {
      const { latitude, longitude } = regions.find((region) => region.name === name)!;
      return placeOf(latitude, longitude);
    };
    assert.ok(Math.abs(distanceKm(place("eu-central-1"), place("eu-west-2")) - 637) < 10);
    assert.ok(Math.abs(distanceKm(place("us-east-1"), place("ca-central-1")) - 785) < 15);
  });

  it("a link's delay is half of the measured round trip in that direction", async () => {
    const topology = await readTopology(SIX_CLOUDS);
    const there = topologyLink(topology, { fabric: "ix-atlantic", from: "eu-central-1", to: "us-east-1" });
    const back = topologyLink(topology, { fabric: "ix-atlantic", from: "us-east-1", to: "eu-central-1" });
    assert.equal(there.delayMicros, Math.round(topology.rttMillis[0]![4]! * 500));
    assert.equal(back.delayMicros, Math.round(topology.rttMillis[4]![0]! * 500));
    assert.notEqual(there.delayMicros, back.delayMicros);
  });

  it("a file with several mistakes is refused with all of them", () => {
    const good = uniformTopology({ regions: 3, rttMillis: 10 });
    const bad = {
      ...good,
      regions: [...good.regions.slice(0, 2), { ...good.regions[0]!, latitude: 91 }],
      rttMillis: [[0]],
      surprise: true,
    };
    assert.throws(
      () => parseTopology(bad, "bad.json"),
      (error: Error) =>
        /latitude/.test(error.message) && /surprise/.test(error.message) && /bad\.json/.test(error.message),
    );
    const inconsistent = { ...good, rttMillis: [[0]], fabrics: [{ ...good.fabrics[0]!, members: ["r1", "r9"] }] };
    assert.throws(
      () => parseTopology(inconsistent, "bad.json"),
      (error: Error) => /3 rows/.test(error.message) && /r9/.test(error.message),
    );
  });

  it("only members meet on a fabric, in the topology's order", async () => {
    const topology = await readTopology(SIX_CLOUDS);
    assert.deepEqual(membersOf(topology, "ix-europe"), ["eu-central-1", "eu-west-1", "eu-west-2", "eu-north-1"]);
    assert.equal(membersOf(topology, "peering").length, 6);
  });

  it("all addresses differ", () => {
    const addresses: string[] = [];
    for (let region = 1; region <= 63; region++) {
      addresses.push(managementAddress(region));
      for (const pair of [hostAddress(region), routerLanAddress(region)]) addresses.push(pair.ipv4, pair.ipv6);
      for (let fabric = 0; fabric <= 3; fabric++) {
        const { ipv4, ipv6 } = fabricAddress(fabric, region);
        addresses.push(ipv4, ipv6, fabricMac(fabric, region));
      }
    }
    assert.equal(new Set(addresses).size, addresses.length);
  });

  it("an unknown region or place is refused by name", () => {
    const topology = uniformTopology({ regions: 2, rttMillis: 1 });
    assert.throws(() => regionIndex(topology, "r3"), { code: "LAB_UNKNOWN_REGION" });
    for (const place of ["r3", "r1/guest", "r1/host/x", "", "/host"]) {
      assert.throws(() => namespaceOf(topology, "lab", place), { code: "LAB_UNKNOWN_REGION" });
    }
    assert.equal(namespaceOf(topology, "lab", "r1/host"), "eph-lab-r1-host");
  });
});
