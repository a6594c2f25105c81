/** Makes the two keys of a region. What is printed is public; the keys are in files of mode 0600 and nowhere else. */
import { generateKeyPairSync } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { generatePrivateKey, privateKeyToAddress } from "viem/accounts";
import { EphemeshError } from "../model/errors.ts";

/** @throws EphemeshError KEY_EXISTS */
export function makeKeys(folder: string): void {
  const files = { agent: `${folder}/agent.key`, routing: `${folder}/routing.key` };
  for (const file of Object.values(files))
    if (existsSync(file))
      throw new EphemeshError(
        "KEY_EXISTS",
        `${file} exists; no key was made.`,
        "Name another folder, or move the old keys away first.",
      );
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const agent = generatePrivateKey();
  const routing = generateKeyPairSync("ed25519");
  writeFileSync(files.agent, `${agent}\n`, { mode: 0o600, flag: "wx" });
  writeFileSync(files.routing, routing.privateKey.export({ type: "pkcs8", format: "pem" }), {
    mode: 0o600,
    flag: "wx",
  });
  console.log(`agent    ${privateKeyToAddress(agent)}`);
  console.log(
    `routing  0x${Buffer.from(routing.publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("hex")}`,
  );
}
