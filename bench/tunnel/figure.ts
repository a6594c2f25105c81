/** One line of the benchmark. */
export interface Figure {
  readonly name: string;
  readonly what: string;
  readonly measured: number;
  readonly unit: string;
  readonly goal: string;
  /** Null: no goal of ours, a figure to compare with. */
  readonly met: boolean | null;
  readonly beside: string;
}
