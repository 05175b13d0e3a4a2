// Medians and spread. No I/O.

/** Several measurements of one thing. */
export interface Series {
  readonly median: number;
  /** The least and the most. */
  readonly from: number;
  readonly to: number;
  readonly samples: readonly number[];
}

/** Rounded to four significant digits, which is more than is known. */
export function seriesOf(samples: readonly number[]): Series {
  if (samples.length === 0) throw new Error('nothing was measured');
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
  return {
    median: rounded(median),
    from: rounded(sorted[0] ?? 0),
    to: rounded(sorted.at(-1) ?? 0),
    samples: samples.map(rounded),
  };
}

/** Round by round, since what else the machine does changes from one round to the next. */
export function ratiosOf(over: readonly number[], under: readonly number[]): Series {
  if (over.length !== under.length) throw new Error('rounds of one are missing in the other');
  return seriesOf(over.map((value, i) => value / (under[i] ?? Number.NaN)));
}

export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
