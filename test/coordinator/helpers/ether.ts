/**
 * Replaces the kernels of all regions: each meshd's socket with the real messages behind it, and links that are
 * up while both ends want the same attempt and have its keys. Agents, chain and control channel are real; only packets are not.
 */
import { createHash } from "node:crypto";
import pino from "pino";
import { Refusals } from "../../../agent/meshd/routing/refusals.ts";
import { type Handlers, serve } from "../../../agent/meshd/server.ts";
import { EphemeshError } from "../../../agent/model/errors.ts";
import type { LinkId, MeshId, RegionId } from "../../../agent/model/ids.ts";
import type { LinkSpec, MeshSpec } from "../../../agent/model/meshd-messages.ts";
import { monotonicMillis } from "../../../agent/model/time.ts";
import { VERSION } from "../../../agent/model/version.ts";

type State = "waiting" | "up" | "down";

const REFUSED = new Refusals();
REFUSED.count("badSignature", "a link");

const EPOCHS = Array.from({ length: 400 }, (_, epoch) => ({
  epoch,
  probes: 100,
  met: 100,
  worstRttMicros: 1000,
  worstLossPpm: 0,
}));

export class Ether {
  readonly #meshes = new Map<RegionId, Map<MeshId, MeshSpec>>();
  readonly #keys = new Set<string>();
  readonly #since = new Map<string, { state: State; atMillis: number }>();
  /** That every meshd names in its heartbeats. */
  version: string = VERSION;
  /** What each meshd was asked, but for looking. */
  readonly asked: { readonly region: RegionId; readonly type: string; readonly links: readonly LinkId[] }[] = [];

  specOf(region: RegionId): MeshSpec | undefined {
    return [...(this.#meshes.get(region)?.values() ?? [])][0];
  }

  /** Listens as this region's meshd until the signal. */
  serve(region: RegionId, socket: string, signal: AbortSignal): Promise<void> {
    const meshes = new Map<MeshId, MeshSpec>();
    this.#meshes.set(region, meshes);
    const startedAt = monotonicMillis();
    const links = () => [...meshes.values()].flatMap((mesh) => mesh.links);
    const note = (type: string, mesh?: MeshSpec) =>
      void this.asked.push({ region, type, links: (mesh?.links ?? []).map(({ linkId }) => linkId) });
    const forget = (before?: MeshSpec, after?: MeshSpec) => {
      for (const { linkId, attempt } of before?.links ?? [])
        if (!after?.links.some((link) => link.linkId === linkId && link.attempt === attempt))
          this.#keys.delete(`${region} ${linkId} ${attempt}`);
    };
    const handlers: Handlers = {
      prepareLink: async ({ linkId, attempt }) => {
        note("prepareLink");
        this.#keys.add(`${region} ${linkId} ${attempt}`);
        const publicKey = createHash("sha256").update(`${region} ${linkId} ${attempt}`).digest("base64");
        return { publicKey, encapsulationKey: publicKey, listenPort: 51820, mtu: 1420 };
      },
      completeLink: async ({ kem }) => (kem.role === "responder" ? { ciphertext: "c2VjcmV0" } : {}),
      applyMesh: async ({ mesh }) => {
        note("applyMesh", mesh);
        forget(meshes.get(mesh.meshId), mesh);
        meshes.set(mesh.meshId, mesh);
        if (mesh.links.some((link) => !this.#hasKeys(region, link)))
          throw new EphemeshError("LINK_NOT_PREPARED", "There are no keys for a link.", "Agree on another attempt.");
        return {};
      },
      removeMesh: async ({ meshId }) => {
        note("removeMesh", meshes.get(meshId));
        forget(meshes.get(meshId));
        meshes.delete(meshId);
        return {};
      },
      snapshot: async () => ({
        meshes: [...meshes.keys()],
        devices: links().map(({ linkId }) => deviceOf(linkId)),
        ...{ rules: 0, routes: 0, nextHops: 0, nftTables: [], wireguard: "userspace" as const },
      }),
      counters: async () => ({
        links: links().map(({ linkId, attempt }) => ({
          ...{ linkId, attempt, receivedPackets: 0, receivedBytes: 0, sentPackets: 0, sentBytes: 0 },
          droppedPackets: { interface: 0, shaper: 0, policer: 0, unauthorised: 3, strayed: 0, toRouter: 0 },
          epochs: EPOCHS,
        })),
      }),
      measurements: async () => ({
        meshes: [...meshes.values()].map((mesh) => ({
          meshId: mesh.meshId,
          links: mesh.links.map((link) => this.#measure(region, link)),
          routes: [],
          refusedAdvertisements: REFUSED.byReason,
          changes: [],
        })),
      }),
      heartbeat: async () => ({ uptimeMillis: monotonicMillis() - startedAt, version: this.version }),
    };
    return serve(socket, handlers, signal, pino({ level: "silent" })).finally(() => this.#meshes.delete(region));
  }

  #hasKeys(region: RegionId, { linkId, attempt }: LinkSpec): boolean {
    return this.#keys.has(`${region} ${linkId} ${attempt}`);
  }

  #measure(region: RegionId, link: LinkSpec) {
    const { linkId, attempt, peer } = link;
    const otherEnd = [...(this.#meshes.get(peer)?.values() ?? [])].flatMap((mesh) => mesh.links);
    const isUp =
      this.#hasKeys(region, link) &&
      this.#hasKeys(peer, link) &&
      otherEnd.some((other) => other.linkId === linkId && other.attempt === attempt);
    const key = `${region} ${linkId} ${attempt}`;
    const before = this.#since.get(key);
    const state: State = isUp ? "up" : before && before.state !== "waiting" ? "down" : "waiting";
    const since = before?.state === state ? before : { state, atMillis: monotonicMillis() };
    this.#since.set(key, since);
    return {
      ...{ linkId, attempt, peer, device: deviceOf(linkId), state: since.state, sinceMonotonicMillis: since.atMillis },
      // No interface has these addresses: to listen or connect there fails.
      ...{ ownAddress: `fe80::${region.toString(16)}`, peerAddress: `fe80::${peer.toString(16)}` },
      ...{
        rttMicros: 1000,
        baseRttMicros: 1000,
        jitterMicros: 0,
        lossForwardPpm: 0,
        lossReversePpm: 0,
        shortageKbps: null,
        refusedAdvertisements: 0,
      },
    };
  }
}

function deviceOf(linkId: LinkId): string {
  return `eph${linkId.slice(2, 14)}`;
}
