/** What two agents would do: handshake of a link between two nodes, and the wanted state of a mesh. */
import { createHash } from "node:crypto";
import type { LinkId, MeshId, RegionId } from "../../../agent/model/ids.ts";
import type { LinkSpec, MeshPair, MeshSpec } from "../../../agent/model/meshd-messages.ts";
import { monotonicMillis } from "../../../agent/model/time.ts";
import { type MeshdClient, until } from "./client.ts";

/** The network that the meshds of a mesh run in: a test's own, or a lab. */
export interface MeshNode {
  readonly index: number;
  readonly routingKey: `0x${string}`;
  readonly prefixes: readonly [string, string];
  readonly underlayAddress: string;
  readonly otherUnderlays?: Readonly<Record<string, string>>;
}
export interface MeshNetwork {
  readonly name: string;
  readonly nodes: readonly MeshNode[];
  node(index: number): MeshNode;
  client(index: number): MeshdClient;
}

export interface TestLink {
  readonly a: number;
  readonly b: number;
  readonly id: LinkId;
  readonly attempt: number;
  readonly underlay: string;
  readonly buyers: readonly number[];
  readonly rateMbps: number;
  readonly ends: ReadonlyMap<number, { readonly port: number; readonly mtu: number }>;
}

export const linkIdOf = (name: string): LinkId => `0x${createHash("sha256").update(name).digest("hex")}` as LinkId;
export const region = (index: number): RegionId => index as RegionId;

export async function agree(
  network: MeshNetwork,
  a: number,
  b: number,
  options: {
    readonly buyers: readonly number[];
    readonly rateMbps?: number;
    readonly attempt?: number;
    readonly name?: string;
    /** By default `ix`. */
    readonly underlay?: string;
  },
): Promise<TestLink> {
  const id = linkIdOf(options.name ?? `${network.name} ${a}-${b}`);
  const { attempt = 0, underlay = "ix" } = options;
  const name = { linkId: id, attempt };
  const [ofA, ofB] = await Promise.all(
    [a, b].map((index) => network.client(index).ask("prepareLink", { ...name, underlay })),
  );
  if (!ofA || !ofB) throw new Error("unreachable");
  const { ciphertext } = await network.client(b).ask("completeLink", {
    ...name,
    peerPublicKey: ofA.publicKey,
    peerAddress: addressOn(network.node(a), underlay),
    kem: { role: "responder", encapsulationKey: ofA.encapsulationKey },
  });
  await network.client(a).ask("completeLink", {
    ...name,
    peerPublicKey: ofB.publicKey,
    peerAddress: addressOn(network.node(b), underlay),
    kem: { role: "initiator", ciphertext: ciphertext ?? "" },
  });
  const ends = new Map([
    [a, { port: ofA.listenPort, mtu: ofA.mtu }],
    [b, { port: ofB.listenPort, mtu: ofB.mtu }],
  ]);
  return { a, b, id, attempt, underlay, buyers: options.buyers, rateMbps: options.rateMbps ?? 100, ends };
}

function addressOn(node: MeshNode, underlay: string): string {
  return node.otherUnderlays?.[underlay] ?? node.underlayAddress;
}

export interface MeshPlan {
  readonly meshId?: number;
  readonly links: readonly TestLink[];
  /** Per buyer: where it may pass. */
  readonly transit: ReadonlyMap<number, readonly number[]>;
  readonly flows: readonly { readonly from: number; readonly to: number; readonly buyer: number }[];
  readonly startsMillis?: number;
  readonly lastsMillis?: number;
  readonly fallback?: "peering" | "drop";
  readonly microPricePerMbps?: number;
}

export function meshSpecOf(network: MeshNetwork, self: number, plan: MeshPlan): MeshSpec {
  const startsMonotonicMillis = plan.startsMillis ?? monotonicMillis();
  const notAfterMonotonicMillis = startsMonotonicMillis + (plan.lastsMillis ?? 600_000);
  return {
    meshId: (plan.meshId ?? 1) as MeshId,
    self: region(self),
    participants: network.nodes.map((node) => ({
      regionId: region(node.index),
      routingKey: node.routingKey,
      prefixes: [...node.prefixes],
    })),
    links: plan.links
      .filter((link) => link.a === self || link.b === self)
      .map((link): LinkSpec => {
        const peer = link.a === self ? link.b : link.a;
        return {
          linkId: link.id,
          attempt: link.attempt,
          peer: region(peer),
          underlay: link.underlay,
          peerEndpoint: { address: addressOn(network.node(peer), link.underlay), port: link.ends.get(peer)?.port ?? 0 },
          mtu: Math.min(...[...link.ends.values()].map((end) => end.mtu)),
          shares: link.buyers.map((buyer) => ({ buyer: region(buyer), rateMbps: link.rateMbps })),
          startsMonotonicMillis,
          notAfterMonotonicMillis,
          bounds: { maxRttMicros: 50_000, maxLossPpm: 10_000 },
        };
      }),
    pairs: plan.flows.flatMap(({ from, to, buyer }) => pairsOf(network.node(from), network.node(to), buyer)),
    transit: [...plan.transit].map(([buyer, regions]) => ({ buyer: region(buyer), regions: regions.map(region) })),
    fallback: plan.fallback ?? "peering",
    microPricePerMbps: plan.microPricePerMbps ?? 0,
  };
}

function pairsOf(from: MeshNode, to: MeshNode, buyer: number): MeshPair[] {
  return [0, 1].map((family) => ({
    source: from.prefixes[family] ?? "",
    destination: to.prefixes[family] ?? "",
    sourceRegion: region(from.index),
    destinationRegion: region(to.index),
    buyer: region(buyer),
  }));
}

/** Both directions between every two of the given nodes, paid by `buyer`. */
export function bothWays(buyer: number, others: readonly number[]): MeshPlan["flows"] {
  return others.flatMap((other) => [
    { from: buyer, to: other, buyer },
    { from: other, to: buyer, buyer },
  ]);
}

export async function applyEverywhere(network: MeshNetwork, plan: MeshPlan, at: readonly number[]): Promise<void> {
  await Promise.all(at.map((self) => network.client(self).ask("applyMesh", { mesh: meshSpecOf(network, self, plan) })));
}

/** Each of these nodes reaches every other one over their own link, and its kernel has the routes. */
export async function untilDirect(network: MeshNetwork, indexes: readonly number[]): Promise<void> {
  for (const index of indexes) {
    const routes = async () => (await network.client(index).ask("measurements", {})).meshes[0]?.routes ?? [];
    const found = await until(routes, (all) => all.length > 0 && all.every(({ path }) => path.length === 1));
    await until(
      () => network.client(index).ask("snapshot", {}),
      // One object for each bucket group.
      ({ nextHops }) =>
        nextHops >= found.flatMap((route) => route.nextHops).reduce((sum, { weight }) => sum + weight, 0),
    );
  }
}
