/**
 * Hears from the kernel when somebody changes what is ours: an interface that goes away is down at once, without a
 * missing probe; other objects are looked at again and put right. Our routes are not watched, they go with their
 * next-hop objects, which are; those of `main` are, because a more specific one takes its traffic back from the mesh.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { PROTOCOL } from "./marks.ts";
import { prefixOf } from "./steering/own-routes.ts";

export type KernelEvent =
  | { readonly kind: "interfaceGone"; readonly device: string; readonly what: "deleted" | "down" }
  | { readonly kind: "objectGone"; readonly what: string }
  /** Of `main`, and not by us. */
  | { readonly kind: "routeChanged"; readonly prefix: string };

const RESTART_MILLIS = 1_000;

export class KernelMonitor {
  readonly #onEvent: (event: KernelEvent) => void;
  #child: ChildProcess | null = null;
  #restart: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(onEvent: (event: KernelEvent) => void) {
    this.#onEvent = onEvent;
  }

  start(): void {
    const child = spawn("ip", ["-o", "-N", "monitor", "link", "nexthop", "rule", "route"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    this.#child = child;
    createInterface({ input: child.stdout }).on("line", (line) => {
      const event = parseEvent(line);
      if (event) this.#onEvent(event);
    });
    child.once("error", () => {});
    child.once("close", () => {
      if (!this.#stopped) this.#restart = setTimeout(() => this.start(), RESTART_MILLIS);
    });
  }

  stop(): void {
    this.#stopped = true;
    if (this.#restart) clearTimeout(this.#restart);
    this.#child?.kill();
  }
}

/** One line of `ip -o monitor`; null: nobody's business here. */
export function parseEvent(line: string): KernelEvent | null {
  const link = /^(Deleted )?\d+: (eph[0-9a-f]{12})(?:@\S+)?: <([^>]*)>/.exec(line);
  if (link) {
    const [, deleted, device = "", flags = ""] = link;
    if (deleted) return { kind: "interfaceGone", device, what: "deleted" };
    return flags.split(",").includes("UP") ? null : { kind: "interfaceGone", device, what: "down" };
  }
  const ours = new RegExp(`^Deleted .* proto ${PROTOCOL}\\b`).test(line);
  if (ours) return { kind: "objectGone", what: line.trim() };
  const route = /^(?:Deleted )?(?:(?:unicast|blackhole|unreachable|prohibit|\d+) )?([0-9a-f.:]+(?:\/\d+)?) /.exec(line);
  const prefix = prefixOf(route?.[1] ?? "");
  return prefix === null || / table | proto 69\b|^\d+: /.test(line) ? null : { kind: "routeChanged", prefix };
}
