import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { type Handlers, serve } from "../agent/meshd/server.ts";
import { MeshdClient } from "../agent/meshd-client.ts";
import type { EphemeshError } from "../agent/model/errors.ts";
import { VERSION } from "../agent/model/version.ts";
import { patiently } from "./helpers/eventually.ts";

const OTHER = "0.0.1";
const eventually = patiently(10_000);

describe("meshd-client", () => {
  const socket = join(mkdtempSync(join(tmpdir(), "ephemesh-meshd-")), "meshd.sock");
  let problems: EphemeshError[];
  let client: MeshdClient;
  let meshd: { readonly controller: AbortController; readonly ended: Promise<void> } | null = null;

  beforeEach(() => {
    problems = [];
    client = new MeshdClient(socket, (problem) => void problems.push(problem));
  });
  afterEach(async () => {
    client.close();
    await stop();
  });

  async function start(version: string): Promise<void> {
    const controller = new AbortController();
    const handlers = {
      heartbeat: async () => ({ uptimeMillis: 1, version }),
      measurements: async () => ({ meshes: [] }),
    } as Partial<Handlers> as Handlers;
    const ended = serve(socket, handlers, controller.signal, pino({ level: "silent" }));
    meshd = { controller, ended };
    await eventually("meshd answers", () => client.ask("measurements", {}));
  }

  async function stop(): Promise<void> {
    meshd?.controller.abort();
    await meshd?.ended;
  }

  it("the version is that of package.json", () => {
    const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    assert.equal(VERSION, version);
  });

  it("a meshd of another version is told at the connection, once, with both versions and what to do", async () => {
    await start(OTHER);
    const problem = await eventually("told", async () => client.versionMismatch ?? undefined);
    assert.equal(problem.code, "MESHD_VERSION");
    assert.equal(problem.message, `meshd runs version ${OTHER}, the agent version ${VERSION}.`);
    assert.match(problem.remedy, /Restart `ephemesh up`/);
    await client.ask("heartbeat", {});
    assert.equal(problems.length, 1);
  });

  it("one of the same version is no problem, and one that is started anew is compared again", async () => {
    await start(VERSION);
    await client.ask("heartbeat", {});
    assert.equal(client.versionMismatch, null);
    assert.deepEqual(problems, []);
    await stop();
    await start(OTHER);
    await eventually("told", async () => client.versionMismatch ?? undefined);
    assert.equal(problems.length, 1);
    await stop();
    await start(VERSION);
    await eventually("no longer", async () => client.versionMismatch === null || undefined);
  });
});
