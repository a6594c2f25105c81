/** The links of this region: those that the meshes want, and those no longer wanted but perhaps still in the kernel. */
import type { MeshSpec } from "../../model/meshd-messages.ts";
import { Link, nextBoundary, shouldHaveInterface } from "./link.ts";

export class LinkSet {
  readonly #probing: { readonly intervalMillis: number; readonly instance: number };
  readonly #wanted = new Map<string, Link>();
  readonly #removing = new Map<string, Link>();

  /** `instance`: see HealthProbe. */
  constructor(probing: { readonly intervalMillis: number; readonly instance: number }) {
    this.#probing = probing;
  }

  /** By device; a live view. */
  get wanted(): ReadonlyMap<string, Link> {
    return this.#wanted;
  }
  get removing(): readonly Link[] {
    return [...this.#removing.values()];
  }

  /** Updates the wanted links to those of the meshes; links that stay keep their state, the sockets of others close. */
  update(specs: readonly MeshSpec[], nowMillis: number): void {
    const wanted = new Map<string, Link>();
    for (const spec of specs) {
      for (const linkSpec of spec.links.filter((each) => shouldHaveInterface(each, nowMillis))) {
        const fresh = new Link(spec.meshId, spec.self, linkSpec, { ...this.#probing, nowMillis });
        const known = this.#wanted.get(fresh.device);
        if (known) known.spec = linkSpec;
        wanted.set(fresh.device, known ?? fresh);
      }
    }
    for (const [device, link] of this.#wanted) if (!wanted.has(device)) this.#removing.set(device, link);
    for (const device of wanted.keys()) this.#removing.delete(device);
    for (const link of this.#removing.values()) link.socket?.close();
    this.#wanted.clear();
    for (const [device, link] of wanted) this.#wanted.set(device, link);
  }

  /** To be called once the interfaces of `removing` are gone. */
  clearRemoved(): void {
    this.#removing.clear();
  }
}

/** The next time at which a link's state changes by its term alone, monotonic milliseconds; infinity: none is left. */
export function nextBoundaryOf(specs: readonly MeshSpec[], nowMillis: number): number {
  const boundaries = specs.flatMap(({ links }) => links.map((link) => nextBoundary(link, nowMillis)));
  return Math.min(...boundaries.filter((boundary) => boundary !== null));
}
