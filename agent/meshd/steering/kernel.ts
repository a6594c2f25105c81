/**
 * The kernel's rules, routes, next-hop objects and our nftables table, brought to what is wanted. What the kernel holds
 * is read once and then known, as nobody else may change our objects; after any refusal it is read afresh.
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
  /** As it was set last; undefined before anything was. */
  #steering: Steering | null | undefined;
  #isTableIntact = true;
  readonly #queue = new SerialQueue();

  constructor(batch: Batch) {
    this.#batch = batch;
  }

  /** One change after the other; what is wanted is asked for when its turn comes, so that the newest wish wins. */
  apply(wanted: () => KernelObjects): Promise<void> {
    return this.#queue.run(() => this.#apply(wanted));
  }

  /** In one transaction of nftables, of no more than what is to change; null takes the table away. */
  async setRuleset(steering: Steering | null): Promise<void> {
    const before = this.#steering;
    const text = steering && ruleset(steering);
    const isAsKnown = before !== undefined && (this.#isTableIntact || (await hasTable()) === (before !== null));
    // Setting it again would begin its counters again.
    if (isAsKnown && text === (before && ruleset(before))) {
      this.#isTableIntact = true;
      return;
    }
    const onlyPairs =
      steering && before && isAsKnown && ruleset(withoutPairs(steering)) === ruleset(withoutPairs(before));
    const whole = text ?? deleteTable;
    const input = onlyPairs ? mapChanges(before, steering) : whole;
    // Of a command that fails, or is ended, nobody knows whether it did its work.
    this.#steering = undefined;
    // What others did to the table meanwhile may make part of a change impossible; the whole of it never is.
    await command("nft", ["-f", "-"], { input }).catch((error: unknown) => {
      if (!onlyPairs) throw error;
      return command("nft", ["-f", "-"], { input: whole });
    });
    this.#steering = steering;
    this.#isTableIntact = true;
  }

  /** Something of ours was changed by others: what is known is not true any more. */
  invalidate(): void {
    this.#isKnown = false;
    this.#isTableIntact = false;
  }

  /** The kernel took it down, or somebody did: traffic turns without a look at what else there is. */
  interfaceGone(device: string): void {
    void this.#queue.run(async () => {
      this.#known = withoutDevice(this.#known, device);
    });
  }

  /** Whether the next hop should be there, once what is under way is done: if not, it was us who took it away. */
  async holds(nextHop: number): Promise<boolean> {
    return this.#queue.run(async () => this.#known.nextHops.has(nextHop));
  }

  async #apply(wanted: () => KernelObjects): Promise<void> {
    try {
      await this.#reach(wanted);
    } catch (first) {
      // An interface that went away took its objects along: the second look tells.
      if (!(first instanceof EphemeshError) || !first.retryable) throw first;
      await this.#reach(wanted);
    }
  }

  async #reach(wanted: () => KernelObjects): Promise<void> {
    try {
      if (!this.#isKnown) {
        // Before the look, so that what is forgotten while it is taken stays forgotten.
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
    // Marks are worth nothing before the tables are filled, and rules before the marks: tables first.
    await this.#batch.run(todo.lines);
    await Promise.all([ipLines("-4", todo.rules4), ipLines("-6", todo.rules6)]);
  }
}

const deleteTable = `table inet ${NFT_TABLE}\ndelete table inet ${NFT_TABLE}\n`;

export async function ipLines(family: "-4" | "-6", lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await command("ip", [family, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}
