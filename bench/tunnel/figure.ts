/** One line of the benchmark. */
export interface Figure {
  readonly name: string;
  readonly what: string;
  readonly measured: number;
  readonly unit: string;
  readonly goal: string;
  /** Null: no goal, only for comparison. */
  readonly met: boolean | null;
  readonly beside: string;
}
