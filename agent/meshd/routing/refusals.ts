/** How many advertisements were refused: of the whole mesh by reason, and of each link. */
import { REFUSAL_REASONS } from "../../model/meshd-messages.ts";

export type RefusalReason = (typeof REFUSAL_REASONS)[number];

export class Refusals {
  readonly #byReason = Object.fromEntries(REFUSAL_REASONS.map((reason) => [reason, 0])) as Record<
    RefusalReason,
    number
  >;
  readonly #byLink = new Map<string, number>();

  get byReason(): Readonly<Record<RefusalReason, number>> {
    return { ...this.#byReason };
  }

  /** `tag`: of the link, see LsaLink. */
  ofLink(tag: string): number {
    return this.#byLink.get(tag) ?? 0;
  }

  count(reason: RefusalReason, tag: string): void {
    this.#byReason[reason]++;
    this.#byLink.set(tag, this.ofLink(tag) + 1);
  }
}
