// Files made to hurt: depth, size, aliases, and YAML that means something else than it looks like.
import { describe, expect, test } from 'vitest';
import { faultsOf, SMALLEST } from './testing/faults-of.ts';

describe('files made to hurt', () => {
  test.each([
    ['flow lists', '['.repeat(100_000)],
    ['flow lists that close', `x: ${'['.repeat(5_000)}${']'.repeat(5_000)}`],
    ['maps in blocks', Array.from({ length: 900 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
    ['lists in blocks', `${'- '.repeat(20_000)}a`],
    [
      'aliases of aliases',
      `a: &a [x, x, x, x, x, x, x, x, x]\n${[...'bcdefghi'].map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefgh'[i]}`)}]`).join('\n')}`,
    ],
    ['a list that holds itself', `${SMALLEST}tokens: &a { audiences: *a }\n`],
    ['many keys', Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join('\n')],
    ['one key many times', 'k: 1\n'.repeat(20_000)],
    ['a long line', `ory: ${'x'.repeat(500_000)}`],
  ])('%s are refused soon and in few words', (_, text) => {
    const started = performance.now();
    const faults = faultsOf(text);
    expect(performance.now() - started).toBeLessThan(8_000);
    expect(faults.length).toBeGreaterThan(0);
    expect(faults.length).toBeLessThanOrEqual(100);
    expect(faults.join('\n').length).toBeLessThan(200_000);
  });

  test('aliases that multiply are named as the fault, not read', () => {
    const lists = [...'bcdefghi'].map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefgh'[i]}`)}]`);
    expect(faultsOf(`a: &a [x, x, x, x, x, x, x, x, x]\n${lists.join('\n')}\n`)).toEqual([
      'f.yaml:1:1: its aliases multiply without bound. Write the values out',
    ]);
  });

  test.each([
    [
      'a %YAML line',
      `%YAML 1.1\n---\n${SMALLEST}tokens: { any_audience: yes }\n`,
      'expected a boolean, found a string',
    ],
    ['a tag of YAML’s own', `${SMALLEST}serve: { admin_token: !!binary aGk= }\n`, 'not YAML: Unresolved tag'],
    ['a merge key', `%YAML 1.1\n---\n${SMALLEST}tokens: { <<: { any_audience: true } }\n`, 'the key "<<" is not known'],
  ])('%s makes no value mean something else', (_, text, problem) => {
    expect(faultsOf(text).join()).toContain(problem);
  });

  test('a huge file is refused unread', () => {
    expect(faultsOf(`${SMALLEST}#${' '.repeat(600_000)}`)).toEqual([
      'f.yaml:1:1: it is larger than 524288 bytes. Split it: one file is one edge',
    ]);
  });
});
