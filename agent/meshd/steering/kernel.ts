/**
 * Brings the kernel's rules, routes, next-hop objects and our nftables table to the wanted state. The kernel is read once,
 * and the state is then known, since others do not change our objects; after any error it is read again.
 */
import { EphemeshError } from "../../model/errors.ts";
import { SerialQueue } from "../../model/serial-queue.ts";
import type { Batch } from "../kernel/batch.ts";
import { command } from "../kernel/commands.ts";
import { NFT_TABLE } from "../kernel/marks.ts";
import {
  type Changes,
  changes,
  type KernelObjects,
  NO_OBJECTS,
  readKernelObjects,
  withoutDevice,
} from "./kernel-objects.ts";
import { mapChanges, withoutPairs } from "./pair-maps.ts";
import { ruleset } from "./ruleset.ts";
import type { Steering } from "./steering.ts";
import { hasTable } from "./table.ts";

export class SteeringKernel {
  readonly #batch: Batch;
  #known: KernelObjects = NO_OBJECTS;
  #isKnown = false;
  /** The ruleset set last; null: the table was deleted; undefined: unknown. */
  #steering: Steering | null | undefined;
  #isTableIntact = true;
  readonly #queue = new SerialQueue();

  constructor(batch: Batch) {
    this.#batch = batch;
  }

  /**
   * Serialised; `wanted` is called when its turn comes, so that the newest state wins.
   * @throws EphemeshError KERNEL_REFUSED, BATCH_ENDED, and what `readKernelObjects` throws
   */
  apply(wanted: () => KernelObjects): Promise<void> {
    return this.#queue.run(() => this.#apply(wanted));
  }

  /**
   * One transaction of nftables, which starts one `nft` process: only changed elements where just pairs changed, else the
   * whole table. Null deletes the table.
   * @throws EphemeshError what `command` throws
   */
  async setRuleset(steering: Steering | null): Promise<void> {
    const before = this.#steering;
    const text = steering && ruleset(steering);
    const isAsKnown = before !== undefined && (this.#isTableIntact || (await hasTable()) === (before !== null));
    // Replacing an equal table would reset its counters.
    if (isAsKnown && text === (before && ruleset(before))) {
      this.#isTableIntact = true;
      return;
    }
    const onlyPairs =
      steering && before && isAsKnown && ruleset(withoutPairs(steering)) === ruleset(withoutPairs(before));
    const whole = text ?? deleteTable;
    const input = onlyPairs ? mapChanges(before, steering) : whole;
    // If the command fails or is killed, the state of the table is unknown.
    this.#steering = undefined;
    // If others changed the table, a change of elements may fail; replacing the whole does not.
    await command("nft", ["-f", "-"], { input }).catch((error: unknown) => {
      if (!onlyPairs) throw error;
      return command("nft", ["-f", "-"], { input: whole });
    });
    this.#steering = steering;
    this.#isTableIntact = true;
  }

  /** Others may have changed our objects: the kernel is read again before the next change. */
  invalidate(): void {
    this.#isKnown = false;
    this.#isTableIntact = false;
  }

  /** An interface is down or was deleted: the next change knows what went with it, without reading the kernel. */
  forgetInterface(device: string): void {
    void this.#queue.run(async () => {
      this.#known = withoutDevice(this.#known, device);
    });
  }

  /** Whether the next hop should exist once pending changes are done; if not, meshd itself deleted it. */
  async holds(nextHop: number): Promise<boolean> {
    return this.#queue.run(async () => this.#known.nextHops.has(nextHop));
  }

  async #apply(wanted: () => KernelObjects): Promise<void> {
    try {
      await this.#reach(wanted);
    } catch (first) {
      // An interface that was just deleted took its objects with it: the second attempt reads the kernel.
      if (!(first instanceof EphemeshError) || !first.retryable) throw first;
      await this.#reach(wanted);
    }
  }

  async #reach(wanted: () => KernelObjects): Promise<void> {
    try {
      if (!this.#isKnown) {
        // Set before reading, so that an `invalidate` meanwhile is not lost.
        this.#isKnown = true;
        this.#known = await readKernelObjects();
      }
      const goal = wanted();
      await this.#perform(changes(this.#known, goal));
      this.#known = goal;
    } catch (error) {
      this.#isKnown = false;
      throw error;
    }
  }

  async #perform(todo: Changes): Promise<void> {
    // Routes before rules: a rule must not select an empty table.
    await this.#batch.run(todo.lines);
    await Promise.all([ipLines("-4", todo.rules4), ipLines("-6", todo.rules6)]);
  }
}

const deleteTable = `table inet ${NFT_TABLE}\ndelete table inet ${NFT_TABLE}\n`;

/** Runs the lines in one `ip -batch`. @throws EphemeshError what `command` throws; earlier lines have taken effect */
export async function ipLines(family: "-4" | "-6", lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await command("ip", [family, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}
