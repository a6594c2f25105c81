/** Quality measures of scores. */

/** Spearman's rank correlation; ties share their mean rank. */
export function rankCorrelation(xs: readonly number[], ys: readonly number[]): number {
  const [a, b] = [ranks(xs), ranks(ys)];
  const mean = (xs.length - 1) / 2;
  const covariance = (u: readonly number[], v: readonly number[]) =>
    u.reduce((total, value, i) => total + (value - mean) * (v[i]! - mean), 0);
  return covariance(a, b) / Math.sqrt(covariance(a, a) * covariance(b, b));
}

/** How often a seller of the better group has the higher score; ties count half. */
export function areaUnderCurve(better: readonly number[], worse: readonly number[]): number {
  let won = 0;
  for (const high of better) for (const low of worse) won += high > low ? 1 : high === low ? 0.5 : 0;
  return won / (better.length * worse.length);
}

/** Jain's index: 1 if all get the same. */
export function fairness(shares: readonly number[]): number {
  const squares = shares.reduce((sum, share) => sum + share * share, 0);
  return squares === 0 ? 1 : mean(shares) ** 2 / (squares / shares.length);
}

export function mean(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function ranks(values: readonly number[]): number[] {
  const sorted = [...values.keys()].sort((a, b) => values[a]! - values[b]!);
  const of = new Array<number>(values.length);
  for (let from = 0; from < sorted.length; ) {
    let to = from;
    while (to + 1 < sorted.length && values[sorted[to + 1]!] === values[sorted[from]!]) to++;
    for (let i = from; i <= to; i++) of[sorted[i]!] = (from + to) / 2;
    from = to + 1;
  }
  return of;
}
