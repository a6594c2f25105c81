/**
 * Brings the kernel to the state that the meshes want: one pass for start, change and end. Interfaces come after the
 * nftables rules that guard them and the routes to their endpoints, and go after the routes over them.
 */
import type { MeshId } from "../model/ids.ts";
import type { MeshdConfig, MeshSpec } from "../model/meshd-messages.ts";
import { monotonicMillis } from "../model/time.ts";
import { type FoundTunnel, foundTunnels } from "./eni/found.ts";
import type { WireguardKind } from "./eni/tunnel-device.ts";
import type { Interfaces } from "./link/interfaces.ts";
import type { Link } from "./link/link.ts";
import { type LinkSet, nextBoundaryOf } from "./link/link-set.ts";
import type { MeshInstance } from "./mesh-instance.ts";
import { forEachParallel } from "./parallel.ts";
import type { SteeringKernel } from "./steering/kernel.ts";
import type { MeshIndexes } from "./steering/mesh-indexes.ts";
import { OwnRoutes } from "./steering/own-routes.ts";
import { wantedObjects, wantedSteering } from "./steering/wanted.ts";

/** Tunnels that no mesh claims within this time of a start are removed. */
const ADOPTION_MILLIS = 30_000;
const MAX_PARALLEL = 8;

export interface ReconcilerParts {
  readonly config: MeshdConfig;
  readonly kernel: SteeringKernel;
  readonly wireguard: WireguardKind;
  readonly meshes: ReadonlyMap<MeshId, MeshInstance>;
  readonly links: LinkSet;
  readonly interfaces: Interfaces;
  readonly meshIndexes: MeshIndexes;
  readonly onInterfaceUp: () => void;
}

/** A link that could not be brought up; it does not affect the others. */
export interface Failure {
  readonly meshId: MeshId;
  readonly error: unknown;
}

export class Reconciler {
  readonly #parts: ReconcilerParts;
  readonly #adoptionEndsAt = monotonicMillis() + ADOPTION_MILLIS;
  readonly ownRoutes: OwnRoutes;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
    this.ownRoutes = new OwnRoutes(parts.config.primaryDevices);
  }

  /**
   * One pass; must not run twice at a time. Returns the links that failed.
   * @throws EphemeshError what the kernel refuses apart from single links; may be repeated
   */
  async run(nowMillis: number): Promise<readonly Failure[]> {
    const { wireguard, meshes, links, interfaces, meshIndexes } = this.#parts;
    await this.ownRoutes.refresh(this.#leasedPrefixes());
    links.update(this.#specs(), nowMillis);
    const [live, gone] = [[...links.wanted.values()], links.removing];
    interfaces.keepKeysOf(live, gone);
    // Routes leave links before their interfaces are removed.
    for (const mesh of meshes.values()) {
      const ofMesh = live.filter((link) => link.meshId === mesh.spec.meshId);
      mesh.setLinks(ofMesh, nowMillis);
    }
    const guarding = this.#guard([...live, ...gone], false);
    guarding.catch(() => {});
    const found = await foundTunnels(wireguard);
    const failures = await this.#bringUp(live, found, guarding);
    // Interfaces of links that ended are removed even if the kernel refused the guard.
    const refused = await guarding.then(
      () => null,
      (error: unknown) => ({ error }),
    );
    await interfaces.remove(gone.map((link) => link.device).filter((device) => found.get(device)?.isOurs ?? true));
    links.clearRemoved();
    if (refused) throw refused.error;
    const waiting = await this.#removeOrphans(found, gone, nowMillis);
    await this.#guard(live, waiting.length === 0);
    meshIndexes.keepOnly(new Set(meshes.keys()));
    return failures;
  }

  /** Installs the routes that the meshes chose. */
  applyRoutes(): Promise<void> {
    const { config, kernel, meshes, links, meshIndexes } = this.#parts;
    return kernel.apply(() =>
      wantedObjects(
        config,
        [...meshes.values()].map((mesh) => mesh.kernelRoutes()),
        [...links.wanted.values()],
        meshIndexes,
        this.ownRoutes.prefixes,
      ),
    );
  }

  /** When the next pass is due by time alone, monotonic milliseconds; infinity: never. */
  nextBoundary(nowMillis: number): number {
    const adoption = nowMillis < this.#adoptionEndsAt ? this.#adoptionEndsAt : Number.POSITIVE_INFINITY;
    return Math.min(nextBoundaryOf(this.#specs(), nowMillis), adoption);
  }

  async #bringUp(
    links: readonly Link[],
    found: ReadonlyMap<string, FoundTunnel>,
    guarding: Promise<void>,
  ): Promise<readonly Failure[]> {
    const { interfaces, onInterfaceUp } = this.#parts;
    const failures: Failure[] = [];
    await forEachParallel(links, MAX_PARALLEL, async (link) => {
      const tunnel = found.get(link.device);
      try {
        if (link.isInterfaceUp && tunnel?.peerPublicKey && tunnel.up) await interfaces.change(link);
        else {
          await interfaces.bringUp(link, tunnel, guarding);
          onInterfaceUp();
        }
      } catch (error) {
        failures.push({ meshId: link.meshId, error });
      }
    });
    return failures;
  }

  /**
   * Installs nftables rules, rules and routes, before any interface comes up. While tunnels wait to be adopted the table
   * of the meshd before stays, even if no mesh is wanted yet (`mayRemove` is false).
   */
  async #guard(links: readonly Link[], mayRemove: boolean): Promise<void> {
    const { kernel, meshes, meshIndexes } = this.#parts;
    const isEmpty = meshes.size === 0 && links.length === 0;
    if (isEmpty && !mayRemove) return;
    await Promise.all([
      kernel.setRuleset(isEmpty ? null : wantedSteering(this.#specs(), links, meshIndexes)),
      this.applyRoutes(),
    ]);
  }

  /** Returns the tunnels that stay: soon after a start the agent may not have applied their mesh yet. */
  async #removeOrphans(
    found: ReadonlyMap<string, FoundTunnel>,
    gone: readonly Link[],
    nowMillis: number,
  ): Promise<readonly string[]> {
    const { links, interfaces } = this.#parts;
    const known = new Set([...links.wanted.keys(), ...gone.map((link) => link.device)]);
    const orphans = [...found.values()].filter(({ device, isOurs }) => isOurs && !known.has(device));
    const devices = orphans.map(({ device }) => device);
    if (nowMillis < this.#adoptionEndsAt) return devices;
    await interfaces.removeOrphans(devices);
    return [];
  }

  #specs(): readonly MeshSpec[] {
    return [...this.#parts.meshes.values()].map((mesh) => mesh.spec);
  }

  /** Prefixes of other regions that the traffic of hosts behind this router is steered to. */
  #leasedPrefixes(): readonly string[] {
    const prefixes = this.#specs().flatMap((spec) =>
      spec.pairs.filter((pair) => pair.destinationRegion !== spec.self).map((pair) => pair.destination),
    );
    return [...new Set(prefixes)];
  }
}
