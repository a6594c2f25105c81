import assert from "node:assert/strict";
import { Socket } from "node:net";
import { senderOf } from "../../agent/control/sender-address.ts";
import { regionId } from "../../agent/model/ids.ts";

const peer = regionId.parse(2);
const end = { device: "eph1", ownAddress: "fe80::11:1:1:1", peerAddress: "fe80::22:1:1:1", peer };
const from = (remoteAddress: string, localAddress = "2001:db8::1") => senderOf({ localAddress, remoteAddress }, [end]);

describe("control/sender-address", () => {
  it("of IPv6 the /64 counts, of IPv4 the address, mapped or not", () => {
    const address = (remoteAddress: string) => from(remoteAddress).address;
    assert.equal(address("2001:db8:0:1::1"), address("2001:db8:0:1:ffff:ffff:ffff:ffff"));
    assert.notEqual(address("2001:db8:0:1::1"), address("2001:db8:0:2::1"));
    assert.equal(address("::ffff:192.0.2.1"), address("192.0.2.1"));
    assert.notEqual(address("192.0.2.1"), address("192.0.2.2"));
  });

  it("inside an ENI the link counts, whatever address the other end takes", () => {
    const counted = ["fe80::22:1:1:1%eph1", "fe80::9%eph1"].map(
      (remote) => from(remote, "fe80::11:1:1:1%eph1").address,
    );
    assert.deepEqual(counted, [end.ownAddress, end.ownAddress]);
  });

  it("our own address tells the link, and so the region at its other end; from another address that is unknown", () => {
    assert.equal(from("fe80::22:1:1:1%eph1", "fe80::11:1:1:1%eph1").eniPeer, peer);
    assert.equal(from("fe80::9%eph1", "fe80::11:1:1:1%eph1").eniPeer, "unknown");
    assert.equal(from("fe80::22:1:1:1%eph2", "fe80::33:1:1:1%eph2").eniPeer, "unknown");
  });

  it("outside of ENIs the network does not tell the region, and of a closed connection nothing", () => {
    assert.equal(from("2001:db8:0:1::1").eniPeer, null);
    assert.equal(from("169.254.1.1", "169.254.1.2").eniPeer, null);
    assert.equal(senderOf(new Socket(), [end]).eniPeer, "unknown");
  });
});
