import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Lab } from "../../lab/lab.ts";
import { uniformTopology } from "../../lab/layout/topology.ts";
import { identify } from "../../lab/process/processes.ts";
import { knownLabs, removeAbandonedLabs, removeLab } from "../../lab/process/run-dir.ts";
import { run } from "../../lab/run.ts";

const OWNER = new URL("./fixtures/owner.ts", import.meta.url).pathname;
const topology = uniformTopology({ regions: 2, rttMillis: 1 });

describe("lab: what is made is removed (real namespaces)", function () {
  this.timeout(60_000);
  let id: string;
  beforeEach(() => {
    id = `t${randomBytes(4).toString("hex")}`;
  });
  afterEach(() => removeLab(id, 0));

  const namespaces = () => readdirSync("/run/netns").filter((name) => name.startsWith(`eph-${id}-`));
  const nothingLeft = () => {
    assert.deepEqual(namespaces(), []);
    assert.ok(!existsSync(`/run/ephemesh-lab/${id}`));
  };

  async function ownedElsewhere(): Promise<{ owner: ChildProcess; sleeperPid: number }> {
    const owner = spawn(process.execPath, [OWNER, id], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(owner.stdout!, "data")) as [Buffer];
    return { owner, sleeperPid: Number(/up (\d+)/.exec(line.toString())?.[1]) };
  }

  it("down leaves no namespace, no process and no file", async () => {
    const lab = await Lab.up({ id, topology });
    const sleeper = lab.spawnIn("r1", ["sh", "-c", "echo inside; exec sleep 600"]);
    await sleeper.line(/inside/);
    assert.equal(namespaces().length, 5);
    await lab.down();
    assert.equal((await sleeper.exited).signal, "SIGTERM");
    nothingLeft();
  });

  it("the machine's own network has the same devices, addresses, routes and rules while a lab is up", async () => {
    const own = () =>
      Promise.all([
        run(["ip", "-brief", "address"]),
        run(["ip", "route", "show", "table", "all"]),
        run(["ip", "rule"]),
      ]);
    const before = await own();
    const lab = await Lab.up({ id, topology });
    assert.deepEqual(await own(), before);
    await lab.down();
    assert.deepEqual(await own(), before);
  });

  it("Ctrl-C removes the lab before the process ends", async () => {
    const { owner, sleeperPid } = await ownedElsewhere();
    owner.kill("SIGINT");
    await once(owner, "exit");
    nothingLeft();
    assert.equal(await identify(sleeperPid), undefined);
  });

  it("the next run removes what an owner left after kill -9", async () => {
    const { owner, sleeperPid } = await ownedElsewhere();
    owner.kill("SIGKILL");
    await once(owner, "exit");
    assert.equal(namespaces().length, 5);
    assert.notEqual(await identify(sleeperPid), undefined);
    assert.ok((await removeAbandonedLabs()).includes(id));
    nothingLeft();
    assert.equal(await identify(sleeperPid), undefined);
  });

  for (const millis of [250, 400, 550, 700]) {
    it(`an owner killed -9 while it makes the lab (after ${millis} ms) leaves nothing after the next run`, async () => {
      const owner = spawn(process.execPath, [OWNER, id], { stdio: "ignore" });
      // The instant of the kill is the subject here.
      await delay(millis);
      owner.kill("SIGKILL");
      await once(owner, "exit");
      await removeAbandonedLabs();
      nothingLeft();
    });
  }

  it("a lab whose owner runs is not removed", async () => {
    const { owner, sleeperPid } = await ownedElsewhere();
    assert.ok(!(await removeAbandonedLabs()).includes(id));
    assert.equal((await knownLabs()).find((lab) => lab.id === id)?.state, "owned");
    assert.notEqual(await identify(sleeperPid), undefined);
    owner.kill("SIGTERM");
    await once(owner, "exit");
    nothingLeft();
  });

  it("two runs can remove the same lab at the same time", async () => {
    await Lab.up({ id, topology, keep: true });
    await Promise.all([removeLab(id, 0), removeLab(id, 0)]);
    nothingLeft();
  });

  it("a name in use is refused, and the lab with that name goes on", async () => {
    const lab = await Lab.up({ id, topology });
    await assert.rejects(Lab.up({ id, topology }), { code: "LAB_NAME_TAKEN" });
    assert.match(await lab.exec("r1", ["ping", "-c", "1", "-W", "1", "192.0.2.12"]), /1 received/);
    await lab.down();
  });

  it("a name with a dash or a slash is refused before anything is made", async () => {
    for (const wrong of ["a-b", "../x", "", "A", "abcdefghijklm"]) {
      await assert.rejects(Lab.up({ id: wrong, topology }), { code: "LAB_ID_INVALID" });
    }
  });

  it("another process can join a kept lab, which still has its faults", async () => {
    const maker = await Lab.up({ id, topology, keep: true });
    await maker.cut("r1", "r2");
    const joined = await Lab.attach(id);
    assert.equal((await joined.readLink({ fabric: "fabric-1", from: "r1", to: "r2" })).cut, true);
    assert.equal((await knownLabs()).find((lab) => lab.id === id)?.state, "kept");
    await joined.down();
    nothingLeft();
    await assert.rejects(Lab.attach(id), { code: "LAB_NOT_FOUND" });
  });

  it("two routers may have WireGuard interfaces of the same name", async () => {
    const lab = await Lab.up({ id, topology });
    for (const region of ["r1", "r2"]) {
      const tunnel = lab.spawnIn(region, ["wireguard-go", "-f", "eph0"], { env: { LOG_LEVEL: "verbose" } });
      await tunnel.line(/UAPI listener started/);
    }
    await lab.exec("r1", ["wg", "set", "eph0", "listen-port", "51820"]);
    assert.equal(await lab.exec("r1", ["wg", "show", "eph0", "listen-port"]), "51820");
    assert.notEqual(await lab.exec("r2", ["wg", "show", "eph0", "listen-port"]), "51820");
    await lab.down();
    nothingLeft();
  });

  it("a command that fails or does not exist is reported with its own output", async () => {
    const lab = await Lab.up({ id, topology });
    await assert.rejects(lab.exec("r1", ["ip", "link", "show", "nothing0"]), (error: Error) =>
      /nothing0/.test(error.message),
    );
    await assert.rejects(lab.exec("nowhere", ["true"]), { code: "LAB_UNKNOWN_REGION" });
    const ended = lab.spawnIn("r1", ["sh", "-c", "echo too bad >&2; exit 3"]);
    await assert.rejects(ended.line(/ready/), /too bad/);
    await lab.down();
  });
});
