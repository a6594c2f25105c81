/** A UDP stream between two hosts: `send ADDRESS MILLIS`, or `receive`, which prints each number with its arrival. */

import { createSocket } from "node:dgram";
import { isIpv6 } from "../../../agent/model/address.ts";
import { monotonicMillis } from "../../../agent/model/time.ts";

const PORT = 9000;
const [role, address = "", interval = "20"] = process.argv.slice(2);
if (role === "receive") {
  const socket = createSocket("udp6");
  socket.on("message", (packet) => process.stdout.write(`${packet.readUInt32BE(0)} ${monotonicMillis()}\n`));
  socket.bind(PORT, () => process.stdout.write("ready\n"));
} else {
  const socket = createSocket(isIpv6(address) ? "udp6" : "udp4");
  let number = 0;
  setInterval(() => {
    const packet = Buffer.alloc(64);
    packet.writeUInt32BE(number++);
    socket.send(packet, PORT, address, () => {});
  }, Number(interval));
}
