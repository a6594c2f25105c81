import { strict as assert } from "node:assert";
import { once } from "node:events";
import { execa } from "execa";

/**
 * A packet each 50 ms for as long as it runs, none of which may be lost. A ping told how many to send would wait for
 * the last answer no longer than two of its round trips: on a busy machine an answer that is late would count as lost.
 */
export class Pings {
  readonly #who: string;
  readonly #process;

  constructor(who: string, namespace: string, address: string) {
    this.#who = who;
    this.#process = execa("ip", ["netns", "exec", namespace, "ping", "-i", "0.05", "-W", "2", address]);
  }

  /** After so many answers more none is missing before the last; what is under way at the end does not count. */
  async lossless(more = 1): Promise<void> {
    for (let answers = 0; answers < more; answers++) await once(this.#process.stdout, "data");
    this.#process.kill("SIGINT");
    const answered = (await this.#process).stdout
      .matchAll(/icmp_seq=(\d+) /g)
      .map(([, seq]) => Number(seq))
      .toArray();
    assert.deepEqual(
      answered,
      Array.from(answered, (_, index) => index + 1),
      this.#who,
    );
  }
}
