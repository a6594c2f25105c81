import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { execa } from "execa";
import { identify, isAlive } from "../../lab/process/processes.ts";

const ROOTLESS = new URL("../../lab/rootless", import.meta.url).pathname;
const OWNER = new URL("fixtures/owner.ts", import.meta.url).pathname;
const VERTICAL = new URL("../meshd/vertical.test.ts", import.meta.url).pathname;
const MOCHA = new URL("../../node_modules/.bin/mocha", import.meta.url).pathname;

describe("lab/rootless: the lab in a user namespace", function () {
  this.timeout(180_000);

  it("a mesh on real interfaces works as for root", async () => {
    const { stdout, exitCode } = await execa(ROOTLESS, [MOCHA, "--exit", VERTICAL], { reject: false, all: true });
    assert.equal(exitCode, 0, stdout);
    assert.match(stdout, /[1-9]\d* passing/);
  });

  it("its processes are root inside and unprivileged outside; their output and exit code are passed on", async () => {
    const inside = await execa(ROOTLESS, ["sh", "-c", "id -u; ls /run/netns | wc -l; cat; exit 7"], {
      input: "said",
      reject: false,
    });
    assert.equal(inside.stdout, "0\n0\nsaid");
    assert.equal(inside.exitCode, 7);
  });

  it("when it is ended from outside, every process and namespace in it ends", async () => {
    const owner = execa(ROOTLESS, [process.execPath, OWNER, "rootless"], { reject: false });
    const [line] = await once(createInterface({ input: owner.stdout }), "line");
    assert.match(String(line), /^up \d+$/);
    const inside = (await descendants(owner.pid!)).slice(1);
    assert.ok(inside.length >= 4, "unshare, the shell, the owner, the sleeper, the wire");
    owner.kill("SIGTERM");
    await owner;
    // The kernel ends them one by one and tells nobody but their parent.
    while ((await Promise.all(inside.map(isAlive))).some(Boolean)) await new Promise(setImmediate);
    assert.equal(existsSync("/run/ephemesh-lab/rootless"), false);
  });

  it("without /dev/net/tun it says what is missing, and starts nothing", async () => {
    const refused = await execa(
      "unshare",
      ["--mount", "sh", "-c", `mount -t tmpfs tmpfs /dev/net && ${ROOTLESS} echo started`],
      {
        reject: false,
      },
    );
    assert.equal(refused.exitCode, 1);
    assert.equal(refused.stdout, "");
    assert.match(refused.stderr, /\/dev\/net\/tun.*\n.*chmod 0666/);
  });
});

async function descendants(pid: number) {
  const { stdout } = await execa("ps", ["-e", "-o", "pid=,ppid="]);
  const parents = new Map(stdout.split("\n").map((line) => line.trim().split(/\s+/).map(Number) as [number, number]));
  const below = (child: number): boolean => child === pid || (parents.has(child) && below(parents.get(child)!));
  const found = await Promise.all([...parents.keys()].filter(below).map(identify));
  return found.filter((identity) => identity !== undefined);
}
