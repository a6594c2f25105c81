import assert from "node:assert/strict";
import { Socket } from "node:net";
import { originOf } from "../../agent/control/sender-address.ts";
import { regionId } from "../../agent/model/ids.ts";

const peer = regionId.parse(2);
const end = { device: "eph1", ownAddress: "fe80::11:1:1:1", peerAddress: "fe80::22:1:1:1", peer };
const from = (remoteAddress: string, localAddress = "2001:db8::1") => originOf({ localAddress, remoteAddress }, [end]);

describe("control/origin", () => {
  it("of IPv6 the /64 counts, of IPv4 the address, mapped or not", () => {
    const source = (remoteAddress: string) => from(remoteAddress).source;
    assert.equal(source("2001:db8:0:1::1"), source("2001:db8:0:1:ffff:ffff:ffff:ffff"));
    assert.notEqual(source("2001:db8:0:1::1"), source("2001:db8:0:2::1"));
    assert.equal(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    assert.notEqual(source("192.0.2.1"), source("192.0.2.2"));
  });

  it("inside an ENI the link counts, whatever address the other end takes", () => {
    const sources = ["fe80::22:1:1:1%eph1", "fe80::9%eph1"].map((remote) => from(remote, "fe80::11:1:1:1%eph1").source);
    assert.deepEqual(sources, [end.ownAddress, end.ownAddress]);
  });

  it("our own address names the link: behind it is its other end, or nobody", () => {
    assert.equal(from("fe80::22:1:1:1%eph1", "fe80::11:1:1:1%eph1").behind, peer);
    assert.equal(from("fe80::9%eph1", "fe80::11:1:1:1%eph1").behind, "nobody");
    assert.equal(from("fe80::22:1:1:1%eph2", "fe80::33:1:1:1%eph2").behind, "nobody");
  });

  it("elsewhere the network says nothing of the region; of a connection that is gone neither", () => {
    assert.equal(from("2001:db8:0:1::1").behind, null);
    assert.equal(from("169.254.1.1", "169.254.1.2").behind, null);
    assert.equal(originOf(new Socket(), [end]).behind, "nobody");
  });
});
