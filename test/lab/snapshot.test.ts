import assert from "node:assert/strict";
import { monotonicMillis } from "../../agent/model/time.ts";
import { Lab } from "../../lab/lab.ts";
import { uniformTopology } from "../../lab/layout/topology.ts";
import type { Command } from "../../lab/run.ts";
import {
  describeDifferences,
  differences,
  leftBehind,
  type Section,
  type Snapshot,
  snapshotText,
  takeSnapshot,
} from "../../lab/snapshot.ts";
import { Stream } from "../../lab/traffic/stream.ts";

describe("INV-10: lab/snapshot sees everything that is left in a namespace (real namespaces)", function () {
  this.timeout(60_000);
  let lab: Lab;
  let before_: Snapshot;
  const here = (command: Command) => lab.exec("r1", command);
  before(async () => {
    lab = await Lab.up({ topology: uniformTopology({ regions: 2, rttMillis: 1 }) });
    before_ = await takeSnapshot(here);
  });
  after(() => lab.down());

  it("two snapshots are equal byte for byte if only traffic flowed", async () => {
    const stream = await Stream.start(lab, { from: "r1", to: "r2", intervalMillis: 2 });
    await stream.arrival(monotonicMillis() + 300);
    await stream.stop();
    assert.equal(snapshotText(await takeSnapshot(here)), snapshotText(before_));
  });

  const plants: readonly { what: string; section: Section; plant: Command; remove: Command }[] = [
    {
      what: "a route in a table of its own",
      section: "IPv4 routes",
      plant: ["ip", "route", "add", "10.99.0.0/16", "dev", "ix0", "table", "7357"],
      remove: ["ip", "route", "del", "10.99.0.0/16", "table", "7357"],
    },
    {
      what: "an IPv6 route",
      section: "IPv6 routes",
      plant: ["ip", "-6", "route", "add", "fd99::/48", "dev", "ix0"],
      remove: ["ip", "-6", "route", "del", "fd99::/48"],
    },
    {
      what: "a rule",
      section: "rules",
      plant: ["ip", "rule", "add", "fwmark", "0x45", "lookup", "7357", "priority", "100"],
      remove: ["ip", "rule", "del", "priority", "100"],
    },
    {
      what: "an IPv6 rule",
      section: "rules",
      plant: ["ip", "-6", "rule", "add", "fwmark", "0x45", "lookup", "7357", "priority", "100"],
      remove: ["ip", "-6", "rule", "del", "priority", "100"],
    },
    {
      what: "a next-hop object",
      section: "next-hop objects",
      plant: ["ip", "nexthop", "add", "id", "1157627904", "via", "192.0.2.12", "dev", "ix0", "protocol", "69"],
      remove: ["ip", "nexthop", "del", "id", "1157627904"],
    },
    {
      what: "an nftables table",
      section: "nftables",
      plant: ["nft", "add", "table", "inet", "ephemesh"],
      remove: ["nft", "delete", "table", "inet", "ephemesh"],
    },
    {
      what: "a queueing discipline",
      section: "queueing disciplines",
      plant: ["tc", "qdisc", "add", "dev", "lan0", "ingress"],
      remove: ["tc", "qdisc", "del", "dev", "lan0", "ingress"],
    },
    {
      what: "an interface",
      section: "links and addresses",
      plant: ["ip", "link", "add", "eph0", "type", "veth", "peer", "name", "eph1"],
      remove: ["ip", "link", "del", "eph0"],
    },
    {
      what: "an address",
      section: "links and addresses",
      plant: ["ip", "address", "add", "192.0.2.99/24", "dev", "ix0"],
      remove: ["ip", "address", "del", "192.0.2.99/24", "dev", "ix0"],
    },
    {
      what: "a sysctl",
      section: "sysctls",
      plant: ["sysctl", "-q", "-w", "net.ipv4.conf.all.send_redirects=0"],
      remove: ["sysctl", "-q", "-w", "net.ipv4.conf.all.send_redirects=1"],
    },
  ];
  for (const { what, section, plant, remove } of plants) {
    it(`sees ${what} that was left, and its removal`, async () => {
      await here(plant);
      const with_ = await takeSnapshot(here);
      assert.ok(leftBehind(before_, with_) > 0);
      assert.ok(differences(before_, with_).some((difference) => difference.section === section));
      await here(remove);
      const without = await takeSnapshot(here);
      assert.equal(leftBehind(before_, without), 0, describeDifferences(before_, without));
    });
  }

  it("sees the removal of an object of others", async () => {
    await here(["ip", "route", "del", "10.2.0.0/16"]);
    const found = differences(before_, await takeSnapshot(here));
    await here(["ip", "route", "add", "10.2.0.0/16", "via", "198.18.0.12"]);
    assert.deepEqual(
      found.map(({ section, added, missing }) => [section, added.length, missing.length]),
      [["IPv4 routes", 0, 1]],
    );
    assert.match(describeDifferences({ ...before_ }, { ...before_, rules: [] }), /^rules\n {2}- 0:/);
  });

  it("sees that a rule of a foreign nftables table was removed and added again", async () => {
    await here(["nft", "add", "table", "inet", "theirs"]);
    await here(["nft", "add", "chain", "inet", "theirs", "c"]);
    await here(["nft", "add", "rule", "inet", "theirs", "c", "accept"]);
    const with_ = await takeSnapshot(here);
    await here(["nft", "flush", "chain", "inet", "theirs", "c"]);
    await here(["nft", "add", "rule", "inet", "theirs", "c", "accept"]);
    assert.equal(leftBehind(with_, await takeSnapshot(here)), 2);
    await here(["nft", "delete", "table", "inet", "theirs"]);
  });
});
