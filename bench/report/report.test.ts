// What the bench found reaches the pages as it is: the tables, the plots, the targets, and that no page has drifted.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Compared } from '../part/compare.ts';
import { PAGES, pagesOf, withSections } from './page.ts';
import { plotSvg } from './plot.ts';
import { type Circumstances, type ComparedField, PARTS, type Results, readResults } from './results.ts';
import { sectionsOf } from './sections.ts';
import { ratiosOf, seriesOf } from './statistics.ts';
import { figure, spread, table } from './table.ts';
import { targetsOf } from './targets.ts';

const circumstances: Circumstances = {
  date: '2026-01-02',
  machine: { cores: 2, processor: 'P', memoryGiB: 4, system: 'linux 6.1 x64' },
  load: { before: 0.1, after: 1.2 },
  versions: { Envoy: '1.40.0' },
  envoyConcurrency: 1,
  cores: { envoy: '0', rest: '1' },
  missing: [],
};

function compared(id: string, rates: readonly number[], more: Partial<Compared> = {}): Compared {
  return {
    id,
    title: `title of ${id}`,
    requestsPerSecond: seriesOf(rates),
    p50Ms: seriesOf([1, 1]),
    p99Ms: seriesOf([2, 2]),
    cpuMicros: { envoy: seriesOf([40, 50]) },
    whoamisPerThousand: 0,
    ...more,
  };
}

function fieldOf(...contenders: readonly Compared[]): ComparedField & Circumstances {
  return {
    ...circumstances,
    people: 1_000,
    whoamiMs: 0,
    rounds: 2,
    seconds: 2,
    connections: 32,
    contenders,
    missing: [{ id: 'go-grpc', title: 'Go', why: 'go was not found' }],
  };
}

describe('figures', () => {
  test('the median of an even number is between the two in the middle, whatever the order', () => {
    expect(seriesOf([4, 1, 3, 2])).toEqual({ median: 2.5, from: 1, to: 4, samples: [4, 1, 3, 2] });
    expect(() => seriesOf([])).toThrow('nothing was measured');
  });

  test('ratios are taken round by round', () => {
    // The machine was twice as slow in the second round: the ratio is not.
    expect(ratiosOf([100, 50, 100], [50, 25, 50]).median).toBe(2);
    expect(() => ratiosOf([1], [1, 2])).toThrow('rounds of one are missing');
  });

  test.each([
    [0.8412, '0.841'],
    [12.34, '12.3'],
    [123.4, '123'],
    [12_345, '12,300'],
    [0, '0'],
  ])('%d is written as %s', (value, text) => expect(figure(value)).toBe(text));

  test('a spread has the least and the most', () => {
    expect(spread(seriesOf([3, 1, 2]))).toBe('2 (1 to 3)');
  });

  test('a table has a line for the head, one of dashes and one a row', () => {
    expect(table(['a', 'b'], [['1', '2']])).toBe('| a | b |\n|---|---|\n| 1 | 2 |');
  });
});

describe('targets', () => {
  const target = (results: Results, what: string) => targetsOf(results).find((one) => one.what.includes(what))?.found;

  test('a ratio at its bound is reached, one below is not', () => {
    const atBound = fieldOf(compared('authorizer-http', [85, 170]), compared('empty-node', [100, 200]));
    const below = fieldOf(compared('authorizer-http', [84, 168]), compared('empty-node', [100, 200]));
    expect(target({ throughput: atBound }, 'empty node')).toMatchObject({ figure: 0.85, reached: true });
    expect(target({ throughput: below }, 'empty node')).toMatchObject({ figure: 0.84, reached: false });
  });

  test('of a time, less is better', () => {
    const start = (median: number) => ({
      ...circumstances,
      serve: seriesOf([median]),
      up: seriesOf([1]),
    });
    expect(target({ start: start(0.5) }, '`serve` ready')).toMatchObject({ reached: true, unit: 's' });
    expect(target({ start: start(0.501) }, '`serve` ready')).toMatchObject({ reached: false });
  });

  test('what was not measured is said to be so', () => {
    const { throughput } = { throughput: fieldOf(compared('authorizer-http', [1, 1])) };
    expect(target({ throughput }, 'Go gRPC')).toBeUndefined();
    expect(sectionsOf({ throughput }).get('targets')).toContain('| not measured |');
  });
});

describe('pages', () => {
  test('a contender that could not run is in the table, with the reason', () => {
    expect(sectionsOf({ throughput: fieldOf(compared('no-auth', [1, 2])) }).get('throughput')).toContain(
      '| Go | missing: go was not found |',
    );
  });

  test('a section replaces what stands between its markers and nothing else', () => {
    const page =
      'before\n<!-- bench:a -->\nold\n<!-- /bench:a -->\nmiddle\n<!-- bench:b -->\nkept\n<!-- /bench:b -->\n';
    expect(withSections(page, new Map([['a', '$& new']]))).toBe(page.replace('old', () => '$& new'));
  });

  const root = fileURLToPath(new URL('../../', import.meta.url));

  test('every part has its results, and nothing else is there', () => {
    expect(readdirSync(`${root}bench/results`).sort()).toEqual(PARTS.map((part) => `${part}.json`).sort());
  });

  test('every marker of a page has its section, and every section a place', () => {
    const markers = PAGES.flatMap((page) =>
      [...readFileSync(`${root}${page}`, 'utf8').matchAll(/<!-- bench:(\S+) -->\n[\s\S]*?<!-- \/bench:\1 -->/g)].map(
        ([, name]) => name,
      ),
    );
    const all = PAGES.flatMap((page) => readFileSync(`${root}${page}`, 'utf8').match(/<!-- bench:/g) ?? []);
    expect(markers.toSorted()).toEqual([...sectionsOf(readResults()).keys()].sort());
    expect(all, 'each with its end').toHaveLength(markers.length);
  });

  test.each(PAGES)('every picture in %s is there, and a plot is one of the results', (page) => {
    const made = [...pagesOf().keys()];
    for (const [, target = ''] of readFileSync(`${root}${page}`, 'utf8').matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)) {
      const path = join(dirname(page), target);
      expect(existsSync(`${root}${path}`), path).toBe(true);
      if (path.startsWith('docs/performance/')) expect(made).toContain(path);
    }
  });

  test('the docs have the figures of bench/results, and no others', () => {
    for (const [path, content] of pagesOf()) {
      expect(existsSync(`${root}${path}`), `${path} is there`).toBe(true);
      expect(readFileSync(`${root}${path}`, 'utf8'), `${path}: run npm run bench -- --pages`).toBe(content);
    }
  });
});

describe('a plot', () => {
  const bars = ['Envoy without auth', 'a <longer> & odd label of an authorizer that nobody would write'].map(
    (label, i) => ({
      label,
      values: [100 * (i + 1), 50],
    }),
  );
  const svg = plotSvg({ title: 'T', subtitle: 'S', parts: ['one', 'two'], bars });
  const numbers = (pattern: RegExp) => [...svg.matchAll(pattern)].map(([, ...rest]) => rest.map(Number));

  test('is well-formed, and holds no markup of a label', () => {
    expect(svg).toContain('a &lt;longer> &amp; odd label');
    expect(svg.match(/<(?:text|style)\b/g)).toHaveLength(svg.match(/<\/(?:text|style)>/g)?.length ?? -1);
  });

  test('keeps bars in proportion and everything on the page', () => {
    const rects = numbers(/<rect class="p[01]" x="([\d.]+)" y="\d+" width="([\d.]+)" height="20"/g);
    expect(rects).toHaveLength(4);
    const [first = [], , second = []] = rects;
    expect((second[1] ?? 0) / (first[1] ?? 1)).toBeCloseTo(2, 1);
    const ends = [...svg.matchAll(/<text x="([\d.]+)" y="\d+">([^<]*)<\/text>/g)];
    expect(ends).toHaveLength(bars.length);
    // As wide as a letter of this size is at the most, on the average.
    for (const [, x, content = ''] of ends) expect(Number(x) + content.length * 7.5).toBeLessThanOrEqual(860);
  });

  test('has colours for a light page and for a dark one', () => {
    expect(svg).toContain('prefers-color-scheme: dark');
  });
});
