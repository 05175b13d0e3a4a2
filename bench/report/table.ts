// Tables in Markdown, and figures as a reader takes them in. No I/O.
import type { Series } from './statistics.ts';

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

/** Three significant digits, thousands apart. */
export function figure(value: number): string {
  if (Number.isNaN(value)) return '';
  const short = Number(value.toPrecision(3));
  return Math.abs(short) >= 1_000
    ? Math.round(short).toLocaleString('en-US')
    : String(Math.abs(short) >= 100 ? Math.round(short) : short);
}

/** The median, and the least and the most. */
export function spread({ median, from, to }: Pick<Series, 'median' | 'from' | 'to'>): string {
  return `${figure(median)} (${figure(from)} to ${figure(to)})`;
}
