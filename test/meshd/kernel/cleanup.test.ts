import { strict as assert } from "node:assert";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requireNoMeshd } from "../../../agent/meshd/kernel/cleanup.ts";

describe("cleanup by hand", () => {
  const directory = mkdtempSync(join(tmpdir(), "cleanup-"));
  const socket = join(directory, "meshd.sock");
  after(() => rmSync(directory, { recursive: true }));

  it("is refused while a meshd listens on its socket, and says how to go on", async () => {
    const server = createServer().listen(socket);
    await once(server, "listening");
    await assert.rejects(requireNoMeshd(socket), { code: "MESHD_RUNNING", remedy: /--force/ });
    server.close();
    await once(server, "close");
    await requireNoMeshd(socket);
  });

  it("goes on where a killed meshd left the file of its socket", async () => {
    writeFileSync(socket, "");
    await requireNoMeshd(socket);
  });
});
