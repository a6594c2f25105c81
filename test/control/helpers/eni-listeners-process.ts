/** Listens inside an ENI in this process's network namespace, before and after it is made anew; prints who was answered. */
import { execFileSync } from "node:child_process";
import { connect } from "node:net";
import { EniListeners } from "../../../agent/control/eni-listeners.ts";
import { senderOf } from "../../../agent/control/sender-address.ts";
import { ENI_CONTROL_PORT, type EniEnd } from "../../../agent/model/eni.ts";
import { regionId } from "../../../agent/model/ids.ts";

const ip = (...words: string[]) => execFileSync("ip", words.join(" ").split(" "));
// To an address of its own machine the kernel takes that address as the source as well.
const end: EniEnd = { device: "eph1", ownAddress: "fe80::1", peerAddress: "fe80::1", peer: regionId.parse(2) };

function makeInterface(): void {
  ip("link add eph1 type veth peer name far");
  ip("link set eph1 addrgenmode none up");
  ip("link set far addrgenmode none up");
  ip("address add fe80::1/64 dev eph1 nodad");
}

function ask(): Promise<string> {
  return new Promise((resolve) => {
    const heard: Buffer[] = [];
    const socket = connect({ host: `${end.ownAddress}%${end.device}`, port: ENI_CONTROL_PORT, timeout: 2000 });
    socket.write("GET / HTTP/1.0\r\n\r\n");
    socket
      .on("data", (chunk: Buffer) => heard.push(chunk))
      .on("error", (error) => resolve(error.message))
      .on("timeout", () => resolve("nobody"))
      .on("end", () => resolve(Buffer.concat(heard).toString().split("\r\n\r\n")[1] ?? ""));
  });
}

ip("link set lo up");
makeInterface();
const listeners = new EniListeners(
  (request, response) => void response.end(`region ${senderOf(request.socket, [end]).eniPeer}`),
  (_, error) => console.log(error.message),
);
await listeners.follow([end]);
console.log(await ask());
ip("link delete eph1");
makeInterface();
await listeners.follow([end]);
console.log(await ask());
await listeners.follow([]);
console.log(await ask());
