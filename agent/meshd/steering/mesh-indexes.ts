/** Small numbers for marks, classes and next-hop objects: a mesh index per buyer in a mesh, and one per destination in a mesh. */
import { EphemeshError } from "../../model/errors.ts";
import type { MeshId, RegionId } from "../../model/ids.ts";
import { MAX_MESH_INDEX } from "../kernel/marks.ts";

const MAX_DESTINATIONS = 1024;

export class MeshIndexes {
  readonly #meshIndexes = new Map<string, number>();
  readonly #destinations = new Map<MeshId, Map<RegionId, number>>();

  /**
   * The number of a buyer in a mesh, a new one at the first call. From 1; 0 is not used, so that no mark is zero after
   * its first byte.
   * @throws EphemeshError TOO_MANY_BUYERS
   */
  assign(mesh: MeshId, buyer: RegionId): number {
    const key = `${mesh}/${buyer}`;
    const known = this.#meshIndexes.get(key);
    if (known !== undefined) return known;
    const meshIndex = lowestUnused(new Set(this.#meshIndexes.values()), 1, MAX_MESH_INDEX);
    this.#meshIndexes.set(key, meshIndex);
    return meshIndex;
  }

  /** From 0. @throws EphemeshError TOO_MANY_BUYERS */
  assignDestination(mesh: MeshId, region: RegionId): number {
    const ofMesh = this.#destinations.get(mesh) ?? new Map<RegionId, number>();
    this.#destinations.set(mesh, ofMesh);
    const known = ofMesh.get(region);
    if (known !== undefined) return known;
    const index = lowestUnused(new Set(ofMesh.values()), 0, MAX_DESTINATIONS);
    ofMesh.set(region, index);
    return index;
  }

  /** Releases the numbers of all other meshes. */
  keepOnly(meshes: ReadonlySet<MeshId>): void {
    for (const mesh of this.#destinations.keys()) if (!meshes.has(mesh)) this.#destinations.delete(mesh);
    const kept = new Set([...meshes].map(String));
    for (const key of this.#meshIndexes.keys()) if (!kept.has(key.split("/")[0] ?? "")) this.#meshIndexes.delete(key);
  }
}

function lowestUnused(used: ReadonlySet<number>, first: number, end: number): number {
  for (let number = first; number < end; number++) if (!used.has(number)) return number;
  throw new EphemeshError(
    "TOO_MANY_BUYERS",
    `More than ${end - first} buyers or destinations at once on one router; nothing was changed.`,
    "Take part in fewer meshes at a time.",
  );
}
