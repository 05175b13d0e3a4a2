// YAML that every reader reads alike.
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { COMMENT, toYaml } from './yaml.ts';

test('texts that some YAML reader takes for something else are quoted', () => {
  const texts = [
    'yes',
    'No',
    'on',
    'Y',
    'null',
    'true',
    'NaN',
    'inf',
    '1',
    '0x1f',
    '010',
    '1e3',
    '.5',
    '~',
    '',
    ' a',
    '12:30',
    '-',
    '- a',
    'a: b',
    '#x',
    '@x',
    '*a',
    '&a',
    '!a',
    '{a',
    '%a',
    "it's",
    '"',
    'a\nb',
    'é',
  ];
  const yaml = toYaml({ texts }, 'head');
  expect(parse(yaml)).toEqual({ texts });
  expect(parse(yaml, { version: '1.1' })).toEqual({ texts });
  for (const text of texts.slice(0, 15)) expect(yaml).toContain(`- '${text}'\n`);
});

test('plain words, names and durations stay plain', () => {
  expect(toYaml({ a: 'STRICT_DNS', b: 'envoy.filters.http.router', c: '4.5s', d: 3, e: true, f: {} }, 'head')).toBe(
    '# head\n\na: STRICT_DNS\nb: envoy.filters.http.router\nc: 4.5s\nd: 3\ne: true\nf: {}\n',
  );
});

test('a comment stands above its map, and repeated values are written out', () => {
  const same = { x: 1 };
  expect(
    toYaml(
      {
        list: [
          { [COMMENT]: 'first', same },
          { [COMMENT]: 'second\nline', same },
        ],
      },
      'head\nline',
    ),
  ).toBe(`# head\n# line\n\nlist:\n  # first\n  - same:\n      x: 1\n  # second\n  # line\n  - same:\n      x: 1\n`);
});
