/** Ours: meshd on every node, one mesh whose only buyer may pass everywhere, every pair of prefixes authorised. */
import { setTimeout as delay } from "node:timers/promises";
import { INTERFACE_STAYS_MILLIS, ROUTES_LEAVE_MILLIS } from "../../../agent/meshd/link/link.ts";
import { monotonicMillis } from "../../../agent/model/time.ts";
import { agree, type MeshPlan, meshSpecOf, type TestLink } from "../../../test/meshd/helpers/meshes.ts";
import { LabMesh } from "../../mesh/lab-mesh.ts";
import { LEASE_MBPS, LINKS, NODES } from "../network.ts";
import type { RoutingSystem, RunningSystem } from "./system.ts";

const BUYER = 1;
/** Between being told and the lease's end: time for both ends to hear. */
const NOTICE_MILLIS = 1_000;

export function ours(probeMillis: number): RoutingSystem {
  return {
    name: "ours",
    about: `meshd with probes every ${probeMillis} ms`,
    async start(lab) {
      const mesh = await LabMesh.start(lab, probeMillis);
      const links = await Promise.all(
        LINKS.map(({ a, b }) => agree(mesh, a, b, { buyers: [BUYER], rateMbps: LEASE_MBPS })),
      );
      const running = new Ours(mesh, links);
      await Promise.all(NODES.map((at) => running.apply(at)));
      return running;
    },
  };
}

class Ours implements RunningSystem {
  readonly #mesh: LabMesh;
  readonly #plan: MeshPlan;
  /** When the lease of a link ends, where it is not the mesh's own end. */
  readonly #ends = new Map<string, number>();

  readonly orderly = {
    restart: async (at: number): Promise<void> => {
      await this.#mesh.stopNode(at);
      await this.#mesh.startNode(at);
      await this.apply(at);
    },
    endLease: async (a: number, b: number): Promise<void> => {
      const link = this.#plan.links.find((each) => each.a === a && each.b === b)!;
      const end = monotonicMillis() + ROUTES_LEAVE_MILLIS + NOTICE_MILLIS;
      this.#ends.set(link.id, end);
      await Promise.all([this.apply(a), this.apply(b)]);
      await delay(end + INTERFACE_STAYS_MILLIS + 500 - monotonicMillis());
    },
  };

  constructor(mesh: LabMesh, links: readonly TestLink[]) {
    this.#mesh = mesh;
    this.#plan = {
      links,
      transit: new Map([[BUYER, NODES]]),
      flows: NODES.flatMap((from) => NODES.filter((to) => to !== from).map((to) => ({ from, to, buyer: BUYER }))),
      startsMillis: monotonicMillis(),
      lastsMillis: 3_600_000,
    };
  }

  get daemons(): ReadonlyMap<number, readonly number[]> {
    return new Map(NODES.map((at) => [at, [this.#mesh.pid(at)]]));
  }

  async apply(at: number): Promise<void> {
    const spec = meshSpecOf(this.#mesh, at, this.#plan);
    const links = spec.links.map((link) => ({
      ...link,
      notAfterMonotonicMillis: this.#ends.get(link.linkId) ?? link.notAfterMonotonicMillis,
    }));
    await this.#mesh.client(at).ask("applyMesh", { mesh: { ...spec, links } });
  }

  async device(at: number, peer: number): Promise<string> {
    const { meshes } = await this.#mesh.client(at).ask("measurements", {});
    return meshes[0]!.links.find((link) => link.peer === peer)!.device;
  }

  /** meshd saw that its interface was put down, and makes it again by itself. */
  async raise(): Promise<void> {}
}
