import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configJsonSchema, meshdConfigOf, parseConfig, readSecret, withPolicyOf } from "../agent/config.ts";
import { EphemeshError } from "../agent/model/errors.ts";

const GOOD = `
region: eu-central-1
chain: { rpc: [http://127.0.0.1:8545], deployment: deployments/chain-7357 }
keys: { agent: agent.key, routing: /keys/routing.key }
control: { listen: "0.0.0.0:7357" }
underlays:
  - { name: ix, fabric: ix-frankfurt, device: ix0, address: 192.0.2.10, endpoint: 192.0.2.10, ports: 51820-51919, spareMbps: 800 }
primary:
  - { name: peering, device: up0, capacityMbps: 100 }
sell: { floorPrice: 1200, reserveMbps: 100, perAuctionMbps: 400 }
`;

function problemsOf(text: string): string {
  try {
    parseConfig(text, "/etc/ephemesh.yaml");
  } catch (error) {
    assert.ok(error instanceof EphemeshError);
    assert.equal(error.code, "CONFIG_INVALID");
    return error.message;
  }
  return assert.fail("it was accepted");
}

type Schema = Readonly<Record<string, unknown>> & { readonly properties?: Readonly<Record<string, Schema>> };

describe("configuration", () => {
  it("takes relative paths from the file's folder and leaves absolute ones", () => {
    const config = parseConfig(GOOD, "/etc/ephemesh/ephemesh.yaml");
    assert.equal(config.keys.agent, "/etc/ephemesh/agent.key");
    assert.equal(config.keys.routing, "/keys/routing.key");
    assert.equal(config.chain.deployment, "/etc/ephemesh/deployments/chain-7357");
  });

  it("a policy that is read again changes what needs no restart, and nothing else", () => {
    const file = "/etc/ephemesh.yaml";
    const running = parseConfig(GOOD, file);
    const read = parseConfig(
      GOOD.replaceAll("192.0.2.10", "192.0.2.11")
        .replace("eu-central-1", "eu-west-1")
        .replace("8545", "8546")
        .replace("agent.key", "other.key")
        .replace('7357"', '7358"')
        .replace("up0", "up1")
        .replace(/^sell:.*$/m, "")
        .concat(`
stateDir: other
runDir: other
user: other
api: { listen: "127.0.0.1:1", tokenFile: token }
buy: { surge: { maxPrice: 1, maxMbps: 1, budgetPerDay: 1 } }
accept: { radius: { rttMillis: 10 } }
topology: full
triggers: [{ on: webhook, path: /v1/triggers/a, event: surge }]
routing: { probeMillis: 50, fallback: drop }
log: { level: debug }
`),
      file,
    );
    const { buy, accept, topology, triggers, log } = read;
    const { sell: _, ...fixed } = running;
    assert.deepEqual(withPolicyOf(running, read), {
      ...fixed,
      ...{ buy, accept, topology, triggers, log },
      routing: { probeMillis: 100, fallback: "drop" },
    });
    assert.deepEqual(withPolicyOf(read, running).sell, running.sell);
  });

  it("lists every problem at once, each with the path of its value", () => {
    const message = problemsOf(
      GOOD.replace("region: eu-central-1", "region: EU!").replace("800", "0").replace("http://", "ftp://"),
    );
    assert.match(message, /3 problems/);
    for (const path of ["region:", "underlays.0.spareMbps:", "chain.rpc.0:"])
      assert.ok(message.includes(path), `${path} in ${message}`);
  });

  it("refuses an unknown key with the nearest known one, at any depth", () => {
    assert.match(problemsOf(`${GOOD}\ntriggerz: []`), /triggerz: unknown key; did you mean "triggers"\?/);
    assert.match(
      problemsOf(GOOD.replace("floorPrice", "florPrice")),
      /sell\.florPrice: unknown key; did you mean "floorPrice"\?/,
    );
    assert.match(
      problemsOf(GOOD.replace("spareMbps: 800", "spareMbps: 800, mut: 1400")),
      /underlays\.0\.mut: unknown key/,
    );
  });

  it("refuses an underlay on a primary device: an ENI never runs over the standing peering", () => {
    assert.match(problemsOf(GOOD.replace("device: up0", "device: ix0")), /ix0 is a primary device/);
  });

  it("refuses a second underlay on a fabric: links would use the first alone", () => {
    const [line] = /^ {2}- \{ name: ix.*$/m.exec(GOOD)!;
    const second = line.replace("name: ix", "name: ix2").replace("ix0", "ix1");
    assert.match(
      problemsOf(GOOD.replace(line, `${line}\n${second}`)),
      /underlays\.ix2\.fabric: another underlay is on ix-frankfurt/,
    );
    parseConfig(GOOD.replace(line, `${line}\n${second.replace("ix-frankfurt", "campus")}`), "/etc/ephemesh.yaml");
  });

  it("refuses a reserve that leaves nothing, port ranges upside down and values that could be read as options", () => {
    assert.match(problemsOf(GOOD.replace("reserveMbps: 100", "reserveMbps: 800")), /leaves nothing/);
    assert.match(problemsOf(GOOD.replace("51820-51919", "51919-51820")), /first not above last/);
    for (const device of ["-n", "a b", "x;reboot", "../etc"])
      assert.match(problemsOf(GOOD.replace("device: ix0", `device: "${device}"`)), /underlays\.0\.device/);
  });

  it("gives meshd its part and nothing of the agent's", () => {
    const told = meshdConfigOf(parseConfig(GOOD, "/etc/e.yaml"));
    assert.deepEqual(told.primaryDevices, ["up0"]);
    assert.deepEqual([told.underlays[0]?.portFirst, told.underlays[0]?.portLast], [51820, 51919]);
    assert.equal(JSON.stringify(told).includes("agent.key"), false);
    const debug = meshdConfigOf(parseConfig(`${GOOD}log: { level: debug }\n`, "/etc/e.yaml"));
    assert.deepEqual([told.logLevel, debug.logLevel], ["info", "debug"]);
  });

  it("prints a schema that names every key of the file", () => {
    const schema = JSON.stringify(configJsonSchema());
    for (const key of ["floorPrice", "perAuctionMbps", "probeMillis", "rttMillis", "tokenFile"])
      assert.ok(schema.includes(key), key);
  });

  it("describes every key, at any depth", () => {
    const missing: string[] = [];
    const walk = (schema: Schema, at: string): void => {
      for (const [key, value] of Object.entries(schema.properties ?? {})) {
        if (typeof value.description !== "string") missing.push(`${at}${key}`);
        walk(value, `${at}${key}.`);
      }
      for (const key of ["items", "additionalProperties", "anyOf", "oneOf"])
        for (const child of [schema[key]].flat()) if (child && typeof child === "object") walk(child as Schema, at);
    };
    walk(configJsonSchema() as Schema, "");
    assert.deepEqual(missing, []);
  });

  it("never uses an empty secret", () => {
    const file = join(mkdtempSync(join(tmpdir(), "ephemesh-config-")), "empty");
    writeFileSync(file, " \n", { mode: 0o600 });
    assert.throws(() => readSecret(file), { code: "SECRET_EMPTY" });
  });

  it("never uses a secret that others can read", () => {
    const file = join(mkdtempSync(join(tmpdir(), "ephemesh-")), "key");
    writeFileSync(file, "secret\n", { mode: 0o600 });
    assert.equal(readSecret(file), "secret");
    chmodSync(file, 0o640);
    assert.throws(() => readSecret(file), { code: "SECRET_EXPOSED" });
    assert.throws(() => readSecret(`${file}x`), { code: "SECRET_UNREADABLE" });
  });
});
