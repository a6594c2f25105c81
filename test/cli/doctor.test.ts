import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";

const MAIN = new URL("../../agent/main.ts", import.meta.url).pathname;
const UNSHARE = ["/usr/bin/unshare", "/bin/unshare"].find(existsSync) ?? "unshare";
const SETPRIV = ["/usr/bin/setpriv", "/bin/setpriv"].find(existsSync) ?? "setpriv";

interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly found: string;
  readonly fix: string;
}

const FAULTS = [
  ["tool ip", /ip/],
  ["tool tc", /tc/],
  ["tool nft", /nft/],
  ["tool wg", /wg/],
  ["kernel nftables", /nft/],
  ["kernel HTB", /qdisc|HTB/],
  ["wireguard", /wireguard is not loaded/],
  ["privilege", /CAP_NET_ADMIN is missing/],
  ["forwarding", /ip_forward is 0/],
  ["key agent", /can be read by others/],
  ["key routing", /cannot be read/],
  ["journal", /kB are free/],
  ["underlay ix", /ix0 does not have the address 192\.0\.2\.1/],
  ["primary peering", /no interface up0/],
  ["chain", /deployment/],
  ["region", /deployment/],
  ["peers", /deployment/],
  ["meshd", /does not answer/],
] as const;

/** The checks that need a chain with regions are tested in test/api/agent.test.ts. */
describe("ephemesh doctor", function () {
  this.timeout(120_000);
  const folder = mkdtempSync(join(tmpdir(), "ephemesh-doctor-"));
  const findings = new Map<string, Finding>();

  /** One run on a machine where everything is at fault: no network, no tools, no rights, no space. */
  before(async () => {
    for (const each of ["tools", "state", "modules"]) mkdirSync(join(folder, each));
    // As tc says it on a kernel without HTB.
    writeFileSync(
      join(folder, "tools/unshare"),
      '#!/bin/sh\necho "Error: Specified qdisc kind is unknown." >&2\nexit 2\n',
    );
    chmodSync(join(folder, "tools/unshare"), 0o755);
    writeFileSync(join(folder, "agent.key"), `0x${"11".repeat(32)}\n`, { mode: 0o644 });
    writeFileSync(
      join(folder, "ephemesh.yaml"),
      [
        "region: r1",
        "stateDir: state",
        "runDir: run",
        "chain: { rpc: ['http://127.0.0.1:1'], deployment: deployment }",
        "keys: { agent: agent.key, routing: routing.key }",
        "control: { listen: '127.0.0.1:0' }",
        "underlays: [{ name: ix, fabric: ix, device: ix0, address: 192.0.2.1, endpoint: 192.0.2.1, ports: 51820-51829, spareMbps: 100 }]",
        "primary: [{ name: peering, device: up0, capacityMbps: 100 }]",
        "",
      ].join("\n"),
    );
    const run = (config: string) => [process.execPath, MAIN, "doctor", "--json", "--config", config].join(" ");
    const script = [
      `mount -t tmpfs -o size=1m none ${folder}/state`,
      "mount -t tmpfs none /sys/module",
      `export PATH=${folder}/tools`,
      `exec ${SETPRIV} --bounding-set=-all --inh-caps=-all ${run(`${folder}/ephemesh.yaml`)}`,
    ].join("\n");
    const asRoot = process.getuid?.() === 0 ? [] : ["--map-root-user"];
    const { stdout, exitCode, stderr } = await execa(
      UNSHARE,
      [...asRoot, "--net", "--mount", "/bin/sh", "-ec", script],
      {
        reject: false,
      },
    );
    assert.equal(exitCode, 1, stderr);
    for (const finding of JSON.parse(stdout) as Finding[]) findings.set(finding.check, finding);
  });

  for (const [check, found] of FAULTS)
    it(`finds a fault of ${check}, and says how to fix it`, () => {
      const finding = findings.get(check);
      assert.ok(finding, [...findings.keys()].join(", "));
      assert.equal(finding.ok, false, finding.found);
      assert.match(finding.found, found);
      assert.notEqual(finding.fix, "");
    });

  it("finds a fault of the configuration, and still checks the machine", async () => {
    const { stdout, exitCode } = await execa(
      process.execPath,
      [MAIN, "doctor", "--json", "--config", join(folder, "absent.yaml")],
      { reject: false },
    );
    const [first, ...rest] = JSON.parse(stdout) as Finding[];
    assert.deepEqual([exitCode, first?.check, first?.ok], [1, "configuration", false]);
    assert.ok(rest.some(({ check }) => check === "forwarding"));
  });

  it("has a test of each of its checks", () => {
    assert.deepEqual([...findings.keys()], ["configuration", ...FAULTS.map(([check]) => check)]);
  });
});
