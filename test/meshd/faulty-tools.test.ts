import { strict as assert } from "node:assert";
import { leafClass } from "../../agent/meshd/shaping/htb.ts";
import { monotonicMillis } from "../../agent/model/time.ts";
import { until } from "./helpers/client.ts";
import { type Fault, FaultyTools, type Tool } from "./helpers/faulty-tools.ts";
import { agree, bothWays, type MeshPlan, meshSpecOf, type TestLink } from "./helpers/meshes.ts";
import { differences, fullSnapshot, inside, run, TestNetwork } from "./helpers/network.ts";
import { Pings } from "./helpers/pings.ts";

/** Each tool is at fault at a router of its own; all of them lead to one whose tools work. */
const ROUTERS: readonly (readonly [Tool, number])[] = [
  ["ip", 1],
  ["tc", 2],
  ["nft", 3],
  ["wg", 4],
];
const HUB = 5;
const FAULTS: readonly Fault[] = ["fail", "hang", "garbage", "truncate", "silent"];
/** A busy machine is no fault of the tools: a link is down after 1 s of silence. */
const PROBE_MILLIS = 250;
const RATE_BEFORE = 20;
const RATE_AFTER = 30;
/** The hub has a second address, which its endpoint moves to. */
const SECOND_ADDRESS = "192.0.2.205";

describe("meshd: a tool that fails, hangs or prints garbage", function () {
  this.timeout(120_000);
  let network: TestNetwork;
  const tools = new Map<number, FaultyTools>();
  let untouched: readonly string[];
  const snapshots = () => Promise.all(ROUTERS.map(([, at]) => fullSnapshot(network.node(at).router)));

  before(async () => {
    network = await TestNetwork.up(HUB, { probeMillis: PROBE_MILLIS });
    await inside(network.node(HUB).router, [`address add ${SECOND_ADDRESS}/24 dev ix0`]);
    for (const [tool, at] of ROUTERS) {
      // Others' objects that look most like ours.
      await inside(network.node(at).router, [
        "link add name eph0000000000ff type bridge",
        "nexthop add id 0x44ffffff dev lan0 protocol 68",
        "rule add pref 6931 from 203.0.113.9 lookup 6931 protocol 70",
        "route add 203.0.113.0/24 dev lan0 table 6931 protocol 70",
      ]);
      await run(network.node(at).router, "nft", ["add table inet ephemesh2; add chain inet ephemesh2 steer"]);
      tools.set(at, new FaultyTools(network.directory, tool));
    }
    untouched = await snapshots();
    await network.start(HUB);
    for (const [, at] of ROUTERS) {
      await network.start(at, { PATH: `${tools.get(at)?.folder}:${process.env.PATH}` });
    }
  });
  after(async () => network?.down());

  for (const fault of FAULTS)
    it(`INV-10: ${fault}: traffic stays where it is, the fault is said once, and nothing half-made stays`, async () => {
      await Promise.all(ROUTERS.map(([tool, at]) => live(tool, at, fault)));
      assert.deepEqual(differences(untouched, await snapshots()), []);
    });

  async function live(tool: Tool, at: number, fault: Fault): Promise<void> {
    const client = network.client(at);
    const broken = tools.get(at);
    const agreed = (name: string): Promise<TestLink> =>
      agree(network, at, HUB, { buyers: [at], rateMbps: RATE_BEFORE, name: `${network.name} ${fault} ${at} ${name}` });
    const [first, second] = [await agreed("first"), await agreed("second")];
    const plan = (links: readonly TestLink[]): MeshPlan => ({
      meshId: at,
      links,
      transit: new Map([[at, [at, HUB]]]),
      flows: bothWays(at, [HUB]),
    });
    const measured = async () => (await client.ask("measurements", {})).meshes.find(({ meshId }) => meshId === at);
    const mesh = meshSpecOf(network, at, plan([first]));
    const atHub = (links: readonly TestLink[]) =>
      network.client(HUB).ask("applyMesh", { mesh: meshSpecOf(network, HUB, plan(links)) });
    await Promise.all([client.ask("applyMesh", { mesh }), atHub([first])]);
    await until(measured, (all) => all?.routes.length === 3 && all.routes.every((route) => route.path.length === 1));

    // While the tool is at fault: a second link, another rate, another address of the other end.
    const more = meshSpecOf(network, at, plan([first, second]));
    const [firstSpec, secondSpec] = more.links;
    if (!firstSpec || !secondSpec) throw new RangeError("two links");
    const wanted = {
      ...more,
      links: [
        {
          ...firstSpec,
          shares: firstSpec.shares.map((share) => ({ ...share, rateMbps: RATE_AFTER })),
          peerEndpoint: { ...firstSpec.peerEndpoint, address: SECOND_ADDRESS },
        },
        secondSpec,
      ],
    };
    await atHub([first, second]);
    const carrier = (await measured())?.links.find(({ linkId }) => linkId === first.id)?.device ?? "";
    const since = monotonicMillis();
    broken?.breaks(tool, fault);
    if (tool === "ip") network.endMonitor(at);
    const pings = new Pings(`${tool}: over the mesh`, network.node(at).host, network.node(HUB).hostAddress.ipv4);
    const said = await client.ask("applyMesh", { mesh: wanted }).then(
      () => null,
      (error: Error) => error.message,
    );
    if (said !== null) assert.match(said, new RegExp(`\\b${tool}\\b`), "the tool is named");
    const during = await measured();
    await pings.lossless(20);
    assert.deepEqual(
      during?.changes.filter(
        ({ atMonotonicMillis, what }) => atMonotonicMillis >= since && what.endsWith(`(${carrier}) is down`),
      ),
      [],
      `${tool}: no link is lost`,
    );
    assert.ok(during?.links.some(({ linkId, state }) => linkId === first.id && state === "up"));

    broken?.behave();
    // Where an endpoint cannot be looked up all stays as before: the agent asks again. All else fixes itself.
    if (tool === "ip") await client.ask("applyMesh", { mesh: wanted });
    await until(measured, (now) => now?.links.filter(({ state }) => state === "up").length === 2, 40_000);
    const classes = () => run(network.node(at).router, "tc", ["class", "show", "dev", carrier]);
    const rate = new RegExp(`class htb ${leafClass(1, "bulk")} .* ceil ${RATE_AFTER}Mbit`);
    await until(classes, (text) => rate.test(text), 40_000);
    await until(
      async () => broken?.done("wg") ?? "",
      (text) => text.split("\n").some((line) => line.includes(carrier) && line.includes(`${SECOND_ADDRESS}:`)),
      40_000,
    );

    broken?.breaks(tool, fault);
    await client.ask("removeMesh", { meshId: mesh.meshId }).catch((error: Error) => {
      assert.match(error.message, new RegExp(`\\b${tool}\\b`));
    });
    broken?.behave();
    await client.ask("removeMesh", { meshId: mesh.meshId });
    await network.client(HUB).ask("removeMesh", { meshId: mesh.meshId });
    assert.deepEqual(repeated(network.log(at)), [], `${tool}: nothing is said twice in a row`);
  }

  /** Warnings that stand in the log again before anything else was said. */
  function repeated(lines: readonly { readonly level: number; readonly msg: string }[]): readonly string[] {
    return lines.flatMap(({ level, msg }, index) => (level >= 40 && lines[index - 1]?.msg === msg ? [msg] : []));
  }
});
