/**
 * The data plane of one region: keeps kernel, probes and routing in line with the meshes that the agent wants. The
 * wanted state is in memory only; the actual state is read from the kernel, so that a restart adopts existing tunnels.
 */
import { type KeyObject, randomInt } from "node:crypto";
import { networkInterfaces } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { describeError } from "../model/errors.ts";
import type { MeshId } from "../model/ids.ts";
import type { MeshdConfig, MeshSpec } from "../model/meshd-messages.ts";
import { SerialQueue } from "../model/serial-queue.ts";
import { monotonicMillis } from "../model/time.ts";
import { checkMesh } from "./check-mesh.ts";
import { readDevices } from "./counters/device-counters.ts";
import type { WireguardKind } from "./eni/tunnel-device.ts";
import type { Batch } from "./kernel/batch.ts";
import { type KernelEvent, KernelMonitor } from "./kernel/monitor.ts";
import { Interfaces } from "./link/interfaces.ts";
import type { Link } from "./link/link.ts";
import { LinkSet } from "./link/link-set.ts";
import { Prober } from "./link/prober.ts";
import { type MeshEvents, MeshInstance } from "./mesh-instance.ts";
import { type Failure, Reconciler } from "./reconciler.ts";
import { Retry } from "./retry.ts";
import { decodeRoutingPacket } from "./routing/wire.ts";
import type { IncarnationFile } from "./state/incarnation.ts";
import type { SteeringKernel } from "./steering/kernel.ts";
import { MeshIndexes } from "./steering/mesh-indexes.ts";
import { WakeUp } from "./wake-up.ts";

/** Between *no transit* and the end: one flooding time, until all other nodes route around this one. */
const NO_TRANSIT_MILLIS = 150;
/** Between two reads of the interface counters: the shortest backlog that capacity is measured over. */
const COUNTER_INTERVAL_MILLIS = 250;

export interface MeshdParts {
  readonly config: MeshdConfig;
  readonly key: KeyObject;
  /** The public key as Membership registers it. */
  readonly publicKeyHex: string;
  readonly incarnation: number;
  readonly incarnationFile: IncarnationFile;
  readonly kernel: SteeringKernel;
  readonly ip: Batch;
  readonly tc: Batch;
  readonly wireguard: WireguardKind;
  readonly log: Logger;
}

export class Meshd {
  readonly #parts: MeshdParts;
  readonly #meshes = new Map<MeshId, MeshInstance>();
  readonly #links: LinkSet;
  /** False: the kernel may still hold an earlier state. */
  #isKernelAsWanted = false;
  readonly #prober: Prober;
  readonly #monitor: KernelMonitor;
  readonly #retry: Retry;
  readonly #reconciler: Reconciler;
  readonly interfaces: Interfaces;
  #incarnation: number;
  readonly #queue = new SerialQueue();
  readonly #boundary = new WakeUp(() => this.#reconcileInBackground());
  #nextCounterReadMillis = 0;
  #stopped = false;

  constructor(parts: MeshdParts) {
    this.#parts = parts;
    this.#incarnation = parts.incarnation;
    const intervalMillis = parts.config.probeMillis;
    this.#links = new LinkSet({ intervalMillis, instance: randomInt(1, 0xffff_ffff) });
    this.#retry = new Retry(() => {
      parts.kernel.invalidate();
      this.#reconcileInBackground();
    }, parts.log);
    this.#monitor = new KernelMonitor((event) => this.#onKernelEvent(event), parts.log);
    const meshIndexes = new MeshIndexes();
    this.interfaces = new Interfaces(
      { ...parts, meshIndexes },
      {
        onPacket: (link, packet) => this.#received(link, packet),
        onFailure: (link, reason) => this.#interfaceFailed(link, reason),
      },
    );
    this.#reconciler = new Reconciler({
      ...parts,
      meshes: this.#meshes,
      links: this.#links,
      interfaces: this.interfaces,
      meshIndexes,
      onInterfaceUp: () => this.#prober.wake(),
    });
    this.#prober = new Prober({
      intervalMillis,
      links: () => this.links.values(),
      onChange: (link, change, nowMillis) => {
        const mesh = this.#meshes.get(link.meshId);
        mesh?.refresh(nowMillis);
        mesh?.logChange(`link to ${link.spec.peer} (${link.device}) is ${change.state}`, change.reason, nowMillis);
      },
      onTick: (nowMillis) => {
        for (const mesh of this.#meshes.values()) mesh.refresh(nowMillis);
        if (nowMillis >= this.#nextCounterReadMillis) this.#readCounters(nowMillis);
        for (const link of this.links.values()) {
          if (link.isHandshakeRestartDue(nowMillis))
            this.interfaces.restartHandshake(link).catch((error: unknown) => this.#retry.reportFailure(error));
        }
      },
    });
  }

  get meshes(): ReadonlyMap<MeshId, MeshInstance> {
    return this.#meshes;
  }
  /** By device. */
  get links(): ReadonlyMap<string, Link> {
    return this.#links.wanted;
  }

  start(): void {
    this.#monitor.start();
  }

  /**
   * Resolves when the mesh is in the kernel.
   * @throws EphemeshError what `checkMesh` and `checkEndpoint` refuse, with everything as before; and the failure of a
   * link of this mesh, which meshd tries again by itself
   */
  async applyMesh(spec: MeshSpec): Promise<void> {
    const { config, publicKeyHex, key } = this.#parts;
    checkMesh(spec, config, publicKeyHex);
    const known = this.#meshes.get(spec.meshId);
    const checked = new Set(known?.spec.links.map((link) => `${link.underlay} ${link.peerEndpoint.address}`));
    for (const { underlay, peerEndpoint } of spec.links) {
      if (!checked.has(`${underlay} ${peerEndpoint.address}`)) {
        await this.interfaces.checkEndpoint(underlay, peerEndpoint.address);
      }
    }
    const nowMillis = monotonicMillis();
    if (known) known.setSpec(spec, nowMillis);
    else {
      const routing = { key, incarnation: this.#incarnation };
      this.#meshes.set(spec.meshId, new MeshInstance(spec, routing, this.#meshEvents(), nowMillis));
    }
    const failure = (await this.reconcile()).find(({ meshId }) => meshId === spec.meshId);
    if (failure) throw failure.error;
  }

  /** Resolves when nothing of the mesh is in the kernel. After a rejection meshd tries again by itself; may be repeated. */
  async removeMesh(meshId: MeshId): Promise<void> {
    if (!this.#meshes.delete(meshId) && this.#isKernelAsWanted) return;
    await this.reconcile();
  }

  /** Brings the kernel to the wanted state. Runs are serialised; what fails is tried again. */
  reconcile(): Promise<readonly Failure[]> {
    this.#isKernelAsWanted = false;
    const failures = this.#queue.run(() => this.#reconcile());
    failures.catch((error: unknown) => this.#retry.reportFailure(error));
    return failures;
  }

  /** An orderly end: other nodes route around this one first; tunnels stay for the next start to adopt. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#prober.stop();
    const nowMillis = monotonicMillis();
    for (const mesh of this.#meshes.values()) mesh.announceNoTransit(nowMillis);
    if ([...this.links.values()].some((link) => link.health.state === "up")) await delay(NO_TRANSIT_MILLIS);
    for (const mesh of this.#meshes.values()) mesh.announceNoLinks(monotonicMillis());
    this.#boundary.cancel();
    this.#retry.stop();
    this.#monitor.stop();
    await this.#queue.run(async () => {});
    for (const link of this.links.values()) link.socket?.close();
  }

  async #reconcile(): Promise<readonly Failure[]> {
    if (this.#stopped) return [];
    const nowMillis = monotonicMillis();
    const failures = await this.#reconciler.run(nowMillis);
    if (!this.#stopped) this.#boundary.schedule(this.#reconciler.nextBoundary(nowMillis));
    this.#isKernelAsWanted = failures.length === 0;
    if (failures[0]) this.#retry.reportFailure(failures[0].error);
    else this.#retry.reportSuccess();
    return failures;
  }

  #received(link: Link, packet: Buffer): void {
    if (this.#prober.receive(link, packet)) return;
    const routing = decodeRoutingPacket(packet);
    if (routing) this.#meshes.get(link.meshId)?.receive(link, routing, monotonicMillis());
  }

  #interfaceFailed(link: Link, reason: string): void {
    link.markInterfaceDown();
    // If only the socket failed the interface is up, and its next hops are still there.
    if (link.device in networkInterfaces()) this.#parts.kernel.invalidate();
    else this.#parts.kernel.forgetInterface(link.device);
    this.#prober.markInterfaceFailed(link, reason);
    this.#retry.schedule();
  }

  #onKernelEvent(event: KernelEvent): void {
    if (event.kind === "interfaceGone") {
      const link = this.links.get(event.device);
      // The event may be older than the interface's last *up*; networkInterfaces() lists only those that are up now.
      const isUp = event.device in networkInterfaces();
      if (link?.isInterfaceUp && !isUp)
        this.#interfaceFailed(
          link,
          `the interface was ${event.what === "down" ? "set down" : event.what} by another process`,
        );
    } else if (event.kind === "routeChanged") {
      if (this.#reconciler.ownRoutes.onRouteChange(event.prefix)) this.#retry.schedule();
    } else if (this.#meshes.size + this.#links.removing.length > 0) {
      void this.#objectGone(event.nextHop);
    }
  }

  /** Our own changes are announced too, and reconciling costs a dozen processes: only others' changes trigger it. */
  async #objectGone(nextHop: number | null): Promise<void> {
    if (nextHop === null || (await this.#parts.kernel.holds(nextHop))) this.#retry.schedule();
  }

  /** Interface counters, for the capacity of each link. */
  #readCounters(nowMillis: number): void {
    this.#nextCounterReadMillis = nowMillis + COUNTER_INTERVAL_MILLIS;
    try {
      const counts = readDevices();
      const countedAt = monotonicMillis();
      for (const link of this.links.values()) {
        const count = counts.get(link.device);
        if (count) link.addCounts(count, countedAt);
      }
    } catch (error) {
      this.#parts.log.debug(describeError(error));
    }
  }

  #reconcileInBackground(): void {
    // Logged and retried by `reconcile`.
    this.reconcile().catch(() => {});
  }

  #meshEvents(): MeshEvents {
    const { log, incarnationFile } = this.#parts;
    return {
      onRoutes: () => {
        this.#reconciler.applyRoutes().catch((error: unknown) => this.#retry.reportFailure(error));
      },
      onChange: (mesh, change) => log.info({ mesh: mesh.spec.meshId, reason: change.reason }, change.what),
      onIncarnation: (incarnation) => {
        this.#incarnation = Math.max(this.#incarnation, incarnation);
        incarnationFile.write(this.#incarnation).catch((error: unknown) => log.warn({}, describeError(error)));
      },
      onDuplicate: (mesh) => {
        const { meshId } = mesh.spec;
        log.error(
          { mesh: meshId },
          "another process uses our routing key and started before this one; this one leaves the mesh",
        );
        this.removeMesh(meshId).catch((error: unknown) => this.#retry.reportFailure(error));
      },
    };
  }
}
