/**
 * Regions in network namespaces: a router and a host for each, a slow shared standing peering (`up0`), faster fabrics
 * (`ix0` …) and a management LAN with the chain's RPC (`mgmt0`). The lab leaves the machine's own network unchanged, and
 * all processes inside its namespaces end with it.
 */
import { randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { EphemeshError } from "../agent/model/errors.ts";
import {
  type Direction,
  type FabricDriver,
  type LinkCounters,
  type LinkSettings,
  queueBytes,
  topologyLink,
} from "./fabric/fabric.ts";
import { loadKernelModules } from "./fabric/kernel-modules.ts";
import { kernelHasNetem, NetemFabric, startNetem } from "./fabric/netem-fabric.ts";
import { startWire, WireFabric } from "./fabric/wire-fabric.ts";
import { fabricDevice, PEERING_FABRIC } from "./layout/addressing.ts";
import { allPlaces, namespaceOf, type Place } from "./layout/place.ts";
import { attachments, corePlan, deviceLines, hostPlan, routerPlan } from "./layout/plan.ts";
import { fabricIndex, membersOf, regionIndex, type Topology } from "./layout/topology.ts";
import { makeNamespaces, runIpLines } from "./namespaces.ts";
import { LabProcess, type SpawnOptions } from "./process/lab-process.ts";
import { endProcesses, processesInside } from "./process/processes.ts";
import { claimLab, type RunDir, readClaim, removeAbandonedLabs, removeLab, runDir } from "./process/run-dir.ts";
import { type Command, type RunOptions, run } from "./run.ts";

const ENTER = new URL("./enter", import.meta.url).pathname;

export interface LabOptions {
  readonly topology: Topology;
  /** 1 to 12 lower-case letters and digits; absent: random. */
  readonly id?: string;
  /** Keeps the lab when this process ends, until `removeLab` or `lab/main.ts down`. */
  readonly keep?: boolean;
  /** Absent: netem if the kernel has it, otherwise the wire. */
  readonly fabrics?: FabricDriver["kind"];
}

/** Which cables a fault affects: those of one fabric, or of all fabrics, but not the peering. */
export interface FaultScope {
  readonly fabric?: string;
}

export class Lab {
  readonly id: string;
  readonly topology: Topology;
  readonly dir: RunDir;
  readonly #fabrics: FabricDriver;

  /** How the cables are emulated. */
  get fabrics(): FabricDriver["kind"] {
    return this.#fabrics.kind;
  }

  private constructor(id: string, topology: Topology, fabrics: FabricDriver) {
    this.id = id;
    this.topology = topology;
    this.dir = runDir(id);
    this.#fabrics = fabrics;
  }

  /** Makes a lab, after removing those of crashed runs. If it fails, it leaves nothing. @throws EphemeshError LAB_… */
  static async up(options: LabOptions): Promise<Lab> {
    if (process.getuid?.() !== 0) {
      throw new EphemeshError(
        "LAB_NEEDS_ROOT",
        "The lab needs root to make network namespaces. Nothing was made.",
        "Run it as root, or with lab/rootless in a user namespace.",
      );
    }
    await removeAbandonedLabs();
    await loadKernelModules();
    const kernelHas = (await kernelHasNetem()) ? "netem" : "wire";
    if (options.fabrics === "netem" && kernelHas !== "netem") {
      throw new EphemeshError(
        "LAB_NO_NETEM",
        "This kernel has no netem. Nothing was made.",
        "Leave `fabrics` out: the lab then emulates the cables itself.",
      );
    }
    const { topology } = options;
    const id = options.id ?? randomBytes(4).toString("hex");
    const dir = await claimLab(id, topology, options.keep !== true);
    try {
      const core = corePlan(topology, id);
      const routers = topology.regions.map((region) => routerPlan(topology, id, region.name));
      const hosts = topology.regions.map((region) => hostPlan(topology, id, region.name));
      await makeNamespaces([core, ...routers, ...hosts], dir);
      await ((options.fabrics ?? kernelHas) === "netem"
        ? startNetem(topology, id)
        : startWire(topology, id, dir.wireSocket));
      await runIpLines(core);
      await Promise.all(routers.map(runIpLines));
      await Promise.all(hosts.map(runIpLines));
      const lab = new Lab(id, topology, await fabricsOf(id, topology));
      await lab.heal();
      return lab;
    } catch (error) {
      await removeLab(id, 0);
      throw error;
    }
  }

  /** A lab that another process made. @throws EphemeshError LAB_NOT_FOUND, LAB_WIRE_GONE */
  static async attach(id: string): Promise<Lab> {
    const topology = await readClaim(id);
    return new Lab(id, topology, await fabricsOf(id, topology));
  }

  async down(): Promise<void> {
    await this.#fabrics.close();
    await removeLab(this.id);
  }

  // ---- running things

  namespace(place: Place): string {
    return namespaceOf(this.topology, this.id, place);
  }

  places(): readonly Place[] {
    return allPlaces(this.topology);
  }

  /** Runs a command at a place to its end. @returns its standard output. @throws EphemeshError COMMAND_FAILED, TOOL_MISSING */
  async exec(place: Place, command: Command, options: RunOptions = {}): Promise<string> {
    return run(this.commandAt(place, command), options);
  }

  /** Starts a process at a place; it ends with the lab at the latest. */
  spawnIn(place: Place, command: Command, options: SpawnOptions = {}): LabProcess {
    return new LabProcess(this.commandAt(place, command), options);
  }

  /** The command that runs another one at a place; the process id stays the same. */
  commandAt(place: Place, command: Command): Command {
    const namespace = this.namespace(place);
    return ["unshare", "--mount", ENTER, namespace, this.dir.sockets(namespace), ...command];
  }

  // ---- faults: in both directions, and no device reports them, unless stated otherwise

  /** Drops all frames between two regions. */
  async cut(a: string, b: string, scope: FaultScope = {}): Promise<void> {
    await this.#changeBothWays(a, b, scope, { cut: true });
  }

  /** Drops all frames in one direction. */
  async cutOneWay(from: string, to: string, scope: FaultScope = {}): Promise<void> {
    await this.#change(from, to, scope, { cut: true });
  }

  /** @param lossPpm share of the frames that are dropped, 0 to 1,000,000 */
  async lose(a: string, b: string, lossPpm: number, scope: FaultScope = {}): Promise<void> {
    await this.#changeBothWays(a, b, scope, { lossPpm });
  }

  async loseOneWay(from: string, to: string, lossPpm: number, scope: FaultScope = {}): Promise<void> {
    await this.#change(from, to, scope, { lossPpm });
  }

  async delay(a: string, b: string, rttMillis: number, scope: FaultScope = {}): Promise<void> {
    await this.#changeBothWays(a, b, scope, { delayMicros: rttMillis * 500 });
  }

  async jitter(a: string, b: string, jitterMicros: number, scope: FaultScope = {}): Promise<void> {
    await this.#changeBothWays(a, b, scope, { jitterMicros });
  }

  async limit(a: string, b: string, mbps: number, scope: FaultScope = {}): Promise<void> {
    const rateKbps = mbps * 1000;
    await this.#changeBothWays(a, b, scope, { rateKbps, queueBytes: queueBytes(rateKbps, 50) });
  }

  /** Sets one end's device up or down; the other end does not see it. */
  async setDevice(region: string, device: string, state: "up" | "down"): Promise<void> {
    const attachment = attachments(this.topology).find((known) => known.region === region && known.device === device);
    if (!attachment) {
      throw new EphemeshError(
        "LAB_UNKNOWN_DEVICE",
        `${region} has no fabric device ${device}.`,
        `Use ${fabricDevice(PEERING_FABRIC)}, ix0 …`,
      );
    }
    const lines = state === "down" ? [`link set ${device} down`] : deviceLines(this.topology, attachment);
    await runIpLines({ namespace: this.namespace(region), ipLines: lines });
  }

  /** Kills the region's processes and cuts all its cables, also that of the management LAN. */
  async killRegion(region: string): Promise<void> {
    const index = regionIndex(this.topology, region);
    await runIpLines({ namespace: this.namespace("core"), ipLines: [`link set mgmt${index} down`] });
    await Promise.all(this.#directionsOf(region).map((direction) => this.#fabrics.setLink(direction, { cut: true })));
    await endProcesses(await processesInside([this.namespace(region)]), 0);
  }

  /** Restores the region's cables; the caller starts its processes again. */
  async reviveRegion(region: string): Promise<void> {
    const index = regionIndex(this.topology, region);
    await Promise.all(this.#directionsOf(region).map((direction) => this.#restore(direction)));
    await runIpLines({ namespace: this.namespace("core"), ipLines: [`link set mgmt${index} up`] });
  }

  /** Restores the topology's figures between two regions, or everywhere. */
  async heal(a?: string, b?: string): Promise<void> {
    const { peering } = this.topology;
    const rateKbps = peering.sharedMbps * 1000;
    await this.#fabrics.setShared(peering.name, rateKbps, queueBytes(rateKbps, peering.queueMillis));
    const between = (direction: Direction) =>
      a === undefined || b === undefined || sameSet([direction.from, direction.to], [a, b]);
    await Promise.all(
      this.#allDirections()
        .filter(between)
        .map((direction) => this.#restore(direction)),
    );
  }

  readLink(direction: Direction): Promise<LinkSettings> {
    return this.#fabrics.readLink(direction);
  }

  /** What a fabric or the peering carried in one direction since the lab came up. */
  readCounters(direction: Direction): Promise<LinkCounters> {
    return this.#fabrics.readCounters(direction);
  }

  #restore(direction: Direction): Promise<void> {
    return this.#fabrics.setLink(direction, topologyLink(this.topology, direction));
  }

  async #changeBothWays(a: string, b: string, scope: FaultScope, change: Partial<LinkSettings>): Promise<void> {
    await Promise.all([this.#change(a, b, scope, change), this.#change(b, a, scope, change)]);
  }

  async #change(from: string, to: string, scope: FaultScope, change: Partial<LinkSettings>): Promise<void> {
    for (const region of [from, to]) regionIndex(this.topology, region);
    if (scope.fabric !== undefined) fabricIndex(this.topology, scope.fabric);
    const directions = this.#allDirections().filter(
      (direction) =>
        direction.from === from &&
        direction.to === to &&
        (scope.fabric === undefined
          ? direction.fabric !== this.topology.peering.name
          : direction.fabric === scope.fabric),
    );
    if (directions.length === 0) {
      throw new EphemeshError(
        "LAB_NO_SUCH_LINK",
        `${from} and ${to} do not meet on ${scope.fabric ?? "any fabric"}.`,
        "Name two different regions that are members of one fabric.",
      );
    }
    await Promise.all(directions.map((direction) => this.#fabrics.setLink(direction, change)));
  }

  #directionsOf(region: string): readonly Direction[] {
    return this.#allDirections().filter(({ from, to }) => from === region || to === region);
  }

  #allDirections(): readonly Direction[] {
    return [this.topology.peering, ...this.topology.fabrics].flatMap(({ name: fabric }) => {
      const members = membersOf(this.topology, fabric);
      return members.flatMap((from) => members.filter((to) => to !== from).map((to) => ({ fabric, from, to })));
    });
  }
}

/** The driver that the lab was made with: the wire if its socket exists. */
async function fabricsOf(id: string, topology: Topology): Promise<FabricDriver> {
  const dir = runDir(id);
  const wire = await stat(dir.wireSocket).catch(() => undefined);
  return wire ? WireFabric.connect(topology, dir.wireSocket) : new NetemFabric(topology, id, `${dir.path}/links`);
}

function sameSet(left: readonly [string, string], right: readonly [string, string]): boolean {
  return (left[0] === right[0] && left[1] === right[1]) || (left[0] === right[1] && left[1] === right[0]);
}
