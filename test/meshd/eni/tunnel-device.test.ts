import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeTunnel } from "../../../agent/meshd/eni/tunnel-device.ts";

describe("a tunnel in user space", () => {
  const before = process.env.PATH;
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ephemesh-tools-"));
    process.env.PATH = folder;
  });
  afterEach(() => {
    process.env.PATH = before;
    rmSync(folder, { recursive: true });
  });

  const attempt = (): Promise<void> => makeTunnel("eph0123456789ab", "userspace", 50);

  it("names wireguard-go where it is not installed", async () => {
    symlinkSync("/usr/bin/chrt", join(folder, "chrt"));
    await assert.rejects(attempt(), { code: "TOOL_MISSING", message: /wireguard-go is not installed/ });
  });

  it("names chrt where that is not installed", async () => {
    await assert.rejects(attempt(), { code: "TOOL_MISSING", message: /chrt is not installed/ });
  });
});
