/**
 * The data plane of one region: keeps kernel, probes and routing in line with the meshes that the agent wants. Wanted
 * state is held in memory only; the actual state is read from the kernel, so that a restart adopts existing tunnels.
 */
import { type KeyObject, randomInt } from "node:crypto";
import { networkInterfaces } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { describeError } from "../model/errors.ts";
import type { MeshId } from "../model/ids.ts";
import type { MeshdConfig, MeshSpec } from "../model/meshd-messages.ts";
import { monotonicMillis } from "../model/time.ts";
import { checkMesh } from "./check-mesh.ts";
import { readDevices } from "./counters/device-counters.ts";
import { type FoundTunnel, foundTunnels } from "./eni/found.ts";
import type { WireguardKind } from "./eni/tunnel-device.ts";
import type { Batch } from "./kernel/batch.ts";
import { type KernelEvent, KernelMonitor } from "./kernel/monitor.ts";
import { Interfaces } from "./link/interfaces.ts";
import type { Link } from "./link/link.ts";
import { LinkSet, nextBoundaryOf } from "./link/link-set.ts";
import { Prober } from "./link/prober.ts";
import { type MeshEvents, MeshInstance } from "./mesh-instance.ts";
import { forEachParallel } from "./parallel.ts";
import { Retry } from "./retry.ts";
import { decodeRoutingPacket } from "./routing/wire.ts";
import type { IncarnationFile } from "./state/incarnation.ts";
import type { SteeringKernel } from "./steering/kernel.ts";
import { MeshIndexes } from "./steering/mesh-indexes.ts";
import { OwnRoutes } from "./steering/own-routes.ts";
import { wantedObjects, wantedSteering } from "./steering/wanted.ts";
import { WakeUp } from "./wake-up.ts";

/** Tunnels that no mesh claims within this time of a start are removed. */
const ADOPTION_MILLIS = 30_000;
const MAX_PARALLEL = 8;
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

/** A link that could not be brought up; it does not affect the others. */
interface Failure {
  readonly meshId: MeshId;
  readonly error: unknown;
}

export class Meshd {
  readonly #parts: MeshdParts;
  readonly #meshIndexes = new MeshIndexes();
  readonly #meshes = new Map<MeshId, MeshInstance>();
  readonly #links: LinkSet;
  /** False: the kernel may still hold an earlier state. */
  #isKernelAsWanted = false;
  readonly #prober: Prober;
  readonly #monitor: KernelMonitor;
  readonly #retry: Retry;
  readonly #adoptionEndsAt = monotonicMillis() + ADOPTION_MILLIS;
  readonly #ownRoutes: OwnRoutes;
  readonly interfaces: Interfaces;
  #incarnation: number;
  #last: Promise<unknown> = Promise.resolve();
  readonly #boundary = new WakeUp(() => this.#reconcileInBackground());
  #nextCounterReadMillis = 0;
  #stopped = false;

  constructor(parts: MeshdParts) {
    this.#parts = parts;
    this.#incarnation = parts.incarnation;
    const { probeMillis: intervalMillis, primaryDevices } = parts.config;
    this.#links = new LinkSet({ intervalMillis, instance: randomInt(1, 0xffff_ffff) });
    this.#ownRoutes = new OwnRoutes(primaryDevices);
    this.#retry = new Retry(() => {
      parts.kernel.invalidate();
      this.#reconcileInBackground();
    }, parts.log);
    this.#monitor = new KernelMonitor((event) => this.#onKernelEvent(event), parts.log);
    this.interfaces = new Interfaces(
      { ...parts, meshIndexes: this.#meshIndexes },
      {
        onPacket: (link, packet) => this.#received(link, packet),
        onFailure: (link, reason) => this.#interfaceFailed(link, reason),
      },
    );
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
            this.interfaces.restartHandshake(link).catch((error: unknown) => this.#retry.failed(error));
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
    const turn = this.#last.then(() => this.#reconcile());
    this.#last = turn.catch((error: unknown) => this.#retry.failed(error));
    return turn;
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
    await this.#last;
    for (const link of this.links.values()) link.socket?.close();
  }

  async #reconcile(): Promise<readonly Failure[]> {
    if (this.#stopped) return [];
    const nowMillis = monotonicMillis();
    const { wireguard } = this.#parts;
    await this.#ownRoutes.refresh(this.#leasedPrefixes());
    this.#links.update(this.#specs(), nowMillis);
    const [live, gone] = [[...this.links.values()], this.#links.removing];
    this.interfaces.keepKeysOf(live, gone);
    // Routes leave links before their interfaces are removed.
    for (const mesh of this.#meshes.values()) {
      const ofMesh = live.filter((link) => link.meshId === mesh.spec.meshId);
      mesh.setLinks(ofMesh, nowMillis);
    }
    const guarding = this.#guard([...live, ...gone], false);
    guarding.catch(() => {});
    const found = await foundTunnels(wireguard);
    const failures: Failure[] = [];
    await forEachParallel(live, MAX_PARALLEL, async (link) => {
      const tunnel = found.get(link.device);
      try {
        if (link.isInterfaceUp && tunnel?.peerPublicKey && tunnel.up) await this.interfaces.change(link);
        else {
          await this.interfaces.bringUp(link, tunnel, guarding);
          this.#prober.wake();
        }
      } catch (error) {
        failures.push({ meshId: link.meshId, error });
      }
    });
    // Interfaces of links that ended are removed even if the kernel refused the guard.
    const refused = await guarding.then(
      () => null,
      (error: unknown) => ({ error }),
    );
    await this.interfaces.remove(gone.map((link) => link.device).filter((device) => found.get(device)?.isOurs ?? true));
    this.#links.clearRemoved();
    if (refused) throw refused.error;
    const waiting = await this.#removeOrphans(found, gone, nowMillis);
    await this.#guard(live, waiting.length === 0);
    this.#meshIndexes.keepOnly(new Set(this.#meshes.keys()));
    if (!this.#stopped) this.#boundary.schedule(this.#nextBoundary(nowMillis));
    this.#isKernelAsWanted = failures.length === 0;
    if (failures[0]) this.#retry.failed(failures[0].error);
    else this.#retry.succeeded();
    return failures;
  }

  /**
   * Installs nftables rules, rules and routes, before any interface comes up. While tunnels wait to be adopted the table
   * of the meshd before stays, even if no mesh is wanted yet (`mayRemove` is false).
   */
  async #guard(links: readonly Link[], mayRemove: boolean): Promise<void> {
    const { kernel } = this.#parts;
    const isEmpty = this.#meshes.size === 0 && links.length === 0;
    if (isEmpty && !mayRemove) return;
    await Promise.all([
      kernel.setRuleset(isEmpty ? null : wantedSteering(this.#specs(), links, this.#meshIndexes)),
      kernel.apply(() => this.#wantedObjects()),
    ]);
  }

  /** Returns the tunnels that stay: soon after a start the agent may not have applied their mesh yet. */
  async #removeOrphans(
    found: ReadonlyMap<string, FoundTunnel>,
    gone: readonly Link[],
    nowMillis: number,
  ): Promise<readonly string[]> {
    const known = new Set([...this.links.keys(), ...gone.map((link) => link.device)]);
    const orphans = [...found.values()].filter(({ device, isOurs }) => isOurs && !known.has(device));
    const devices = orphans.map(({ device }) => device);
    if (nowMillis < this.#adoptionEndsAt) return devices;
    await this.interfaces.removeOrphans(devices);
    return [];
  }

  #received(link: Link, packet: Buffer): void {
    if (this.#prober.receive(link, packet)) return;
    const routing = decodeRoutingPacket(packet);
    if (routing) this.#meshes.get(link.meshId)?.receive(link, routing, monotonicMillis());
  }

  #interfaceFailed(link: Link, reason: string): void {
    link.interfaceDown();
    // If only the socket failed the interface is up, and its next hops are still there.
    if (link.device in networkInterfaces()) this.#parts.kernel.invalidate();
    else this.#parts.kernel.interfaceGone(link.device);
    this.#prober.interfaceFailed(link, reason);
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
      if (this.#ownRoutes.onRouteChange(event.prefix)) this.#retry.schedule();
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

  /** The next time at which a link starts or ends, or at which tunnels wait no longer for their mesh. */
  #nextBoundary(nowMillis: number): number {
    const adoption = nowMillis < this.#adoptionEndsAt ? this.#adoptionEndsAt : Number.POSITIVE_INFINITY;
    return Math.min(nextBoundaryOf(this.#specs(), nowMillis), adoption);
  }

  #reconcileInBackground(): void {
    // Logged and retried by `reconcile`.
    this.reconcile().catch(() => {});
  }

  #meshEvents(): MeshEvents {
    const { kernel, log, incarnationFile } = this.#parts;
    return {
      onRoutes: () => {
        kernel.apply(() => this.#wantedObjects()).catch((error: unknown) => this.#retry.failed(error));
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
        this.removeMesh(meshId).catch((error: unknown) => this.#retry.failed(error));
      },
    };
  }

  #specs(): readonly MeshSpec[] {
    return [...this.#meshes.values()].map((mesh) => mesh.spec);
  }

  #wantedObjects(): ReturnType<typeof wantedObjects> {
    const meshes = [...this.#meshes.values()].map((mesh) => mesh.kernelRoutes());
    return wantedObjects(
      this.#parts.config,
      meshes,
      [...this.links.values()],
      this.#meshIndexes,
      this.#ownRoutes.prefixes,
    );
  }

  /** Prefixes of other regions that the traffic of hosts behind this router is steered to. */
  #leasedPrefixes(): readonly string[] {
    const prefixes = this.#specs().flatMap((spec) =>
      spec.pairs.filter((pair) => pair.destinationRegion !== spec.self).map((pair) => pair.destination),
    );
    return [...new Set(prefixes)];
  }
}
