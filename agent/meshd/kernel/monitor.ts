/**
 * Watches the kernel for changes of our objects by others: a link whose interface is deleted is down at once, without
 * missing probes; other objects are restored. Our routes need no watch, since they are deleted with their next-hop
 * objects; routes in `main` do, because a more specific one takes its traffic back from the mesh.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Logger } from "pino";
import { EphemeshError } from "../../model/errors.ts";
import { toPrefix } from "../../model/prefix.ts";
import { Retry } from "../retry.ts";
import { DEVICE, PROTOCOL } from "./marks.ts";

export type KernelEvent =
  | { readonly kind: "interfaceGone"; readonly device: string; readonly what: "deleted" | "down" }
  /** `nextHop`: id of the deleted next-hop object, or of the one that a deleted route used. */
  | { readonly kind: "objectGone"; readonly nextHop: number | null }
  /** A route in `main`, by others. */
  | { readonly kind: "routeChanged"; readonly prefix: string };

const ARGS = ["-o", "-N", "monitor", "link", "nexthop", "rule", "route"];
const OUR_LINK = new RegExp(`^(Deleted )?\\d+: (${DEVICE})(?:@\\S+)?: <([^>]*)>`);
const OURS_DELETED = new RegExp(`^Deleted .* proto ${PROTOCOL}\\b`);
/** Longer than any line that `ip` prints. */
const MAX_LINE = 65_536;

export class KernelMonitor {
  readonly #onEvent: (event: KernelEvent) => void;
  readonly #retry: Retry;
  #child: ChildProcess | null = null;
  #stopped = false;

  constructor(onEvent: (event: KernelEvent) => void, log: Logger) {
    this.#onEvent = onEvent;
    this.#retry = new Retry(() => {
      this.start();
      // Anything may have changed while it did not run.
      this.#onEvent({ kind: "objectGone", nextHop: null });
    }, log);
  }

  start(): void {
    const child = spawn("ip", ARGS, { stdio: ["ignore", "pipe", "ignore"] });
    this.#child = child;
    let partial = "";
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (text: string) => {
      const lines = (partial + text).split("\n");
      partial = lines.pop() ?? "";
      if (partial.length > MAX_LINE) child.kill("SIGKILL");
      for (const event of lines.map(parseEvent)) {
        if (event === null) continue;
        this.#retry.reportSuccess();
        this.#onEvent(event);
      }
    });
    child.once("error", () => {});
    child.once("close", (code, signal) => {
      if (!this.#stopped) this.#retry.reportFailure(ended(signal ?? code));
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#retry.stop();
    this.#child?.kill();
  }
}

function ended(reason: string | number | null): EphemeshError {
  return new EphemeshError(
    "MONITOR_ENDED",
    `\`ip ${ARGS.join(" ")}\` ended with ${reason}: changes by others are noticed late. Probes continue.`,
    "meshd starts it again; if it ends again, run it by hand.",
    { retryable: true },
  );
}

/** Parses one line of `ip -o monitor`; null: not relevant. */
export function parseEvent(line: string): KernelEvent | null {
  const link = OUR_LINK.exec(line);
  if (link) {
    const [, deleted, device = "", flags = ""] = link;
    if (deleted) return { kind: "interfaceGone", device, what: "deleted" };
    return flags.split(",").includes("UP") ? null : { kind: "interfaceGone", device, what: "down" };
  }
  if (OURS_DELETED.test(line)) {
    const [, nextHop = null] = /\b(?:nh)?id (\d+) /.exec(line) ?? [];
    return { kind: "objectGone", nextHop: nextHop === null ? null : Number(nextHop) };
  }
  const route = /^(?:Deleted )?(?:(?:unicast|blackhole|unreachable|prohibit|\d+) )?([0-9a-f.:]+(?:\/\d+)?) /.exec(line);
  const prefix = toPrefix(route?.[1] ?? "");
  return prefix === null || / table | proto 69\b|^\d+: /.test(line) ? null : { kind: "routeChanged", prefix };
}
