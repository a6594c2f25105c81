import assert from "node:assert/strict";
import { mkdtempSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "../../agent/config.ts";
import { prepareFolders } from "../../agent/up.ts";
import { MINIMAL_CONFIG } from "../helpers/minimal-config.ts";

describe("the folders of `ephemesh up`", () => {
  it("meshd, which is root without the right to pass permissions, can reach its files in the agent's folder", () => {
    const folder = mkdtempSync(join(tmpdir(), "ephemesh-up-"));
    const config = parseConfig(MINIMAL_CONFIG, join(folder, "ephemesh.yaml"));
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
