import assert from "node:assert/strict";
import { mkdtempSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "../../agent/config.ts";
import { prepareFolders } from "../../agent/up.ts";

describe("the folders of `ephemesh up`", () => {
  it("meshd, which is root without the right to pass permissions, can reach its files in the agent's folder", () => {
    const folder = mkdtempSync(join(tmpdir(), "ephemesh-up-"));
    const config = parseConfig(
      `region: here
stateDir: state
runDir: run
chain: { rpc: ["http://127.0.0.1:8545"], deployment: deployment }
keys: { agent: agent.key, routing: routing.key }
control: { listen: "127.0.0.1:7357" }
underlays:
  - { name: ix, fabric: ix, device: ix0, address: 192.0.2.10, endpoint: 192.0.2.10, ports: 51820-51919, spareMbps: 800 }
primary: [{ name: peering, device: up0, capacityMbps: 100 }]
`,
      join(folder, "ephemesh.yaml"),
    );
    const modeOf = (path: string) => statSync(join(folder, path)).mode & 0o7777;
    for (let run = 0; run < 2; run++) {
      const pidFile = prepareFolders(config, null);
      // Others may pass the agent's folder and not list it; nobody else enters meshd's.
      assert.deepEqual([modeOf("state"), modeOf("state/meshd")], [0o711, 0o700]);
      // A folder of an earlier version, and no second `up`.
      writeFileSync(pidFile, "0");
    }
  });
});
