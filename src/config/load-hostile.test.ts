// Files made to hurt: depth, size, aliases, and YAML that means something else than it looks like.
import { describe, expect, test } from 'vitest';
import { parseConfig } from './load.ts';
import { faultsOf, SMALLEST, withRules } from './testing/faults-of.ts';

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
    ['keys that are lists', `${SMALLEST}cache: { ${'? [a] : 1, '.repeat(20_000)} }\n`],
    [
      'keys that are deep',
      `${SMALLEST}${Array.from({ length: 200 }, () => `? ${'['.repeat(500)}${']'.repeat(500)}\n: 1\n`).join('')}`,
    ],
    ['one key many times', 'k: 1\n'.repeat(20_000)],
    ['a long line', `ory: ${'x'.repeat(4_000_000)}`],
    ['commas', `a: [${','.repeat(4_000_000)}]`],
    ['brackets that open nothing', ']'.repeat(4_000_000)],
    ['braces that open nothing', '}\n'.repeat(2_000_000)],
    ['lines that belong to nothing', `a: 1\n${'x\n'.repeat(300_000)}`],
    ['escapes that are none', `a: "${'\\q'.repeat(2_000_000)}"`],
    ['directives', `${'%A\n'.repeat(1_300_000)}---\na: 1`],
    ['tags', '- !a a\n'.repeat(100_000)],
    ['documents', '--- a\n'.repeat(600_000)],
    ['ends of documents', '...\n'.repeat(1_000_000)],
    ['empty lists', 'a:\n- [], []\n'.repeat(30_000)],
    ['blank lines', `a:${'\n'.repeat(300_000)}`],
    ['aliases', `- &a x\n${'- *a\n'.repeat(50_000)}`],
    ['anchors', Array.from({ length: 30_000 }, (_, i) => `a${i}: &a${i} x\nb${i}: *a${i}\n`).join('')],
    [
      'claims',
      `${withRules(`{ name: a, match: { path: / }, require: { token: { claims: { ${claims(40_000)} } } } }`)}`,
    ],
  ])('%s are refused soon and in few words', { timeout: 120_000 }, (_, text) => {
    const started = performance.now();
    const faults = faultsOf(text);
    expect(performance.now() - started).toBeLessThan(60_000);
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

  test.each([
    ['a list', '? [[a]]\n: 1\n'],
    ['a map', '{ a: b }: 1\n'],
    ['an alias', 'ory: &a x\n*a : 1\n'],
  ])('%s as a key is refused as that', (_, text) => {
    expect(faultsOf(text)).toEqual([
      expect.stringMatching(/^f\.yaml:\d:\d: a key is a list, a map or an alias\. Write a plain name$/),
    ]);
  });

  test('a name as long as the file is repeated in part', () => {
    const [fault = '', ...more] = faultsOf(`${SMALLEST}${'x'.repeat(1_000)}: 1\ncache: { ttl: 1s }\n`);
    expect(more).toEqual([]);
    expect(fault).toContain(`the key "${'x'.repeat(120)}…" is not known. Known here: ory, tokens`);
    const path = faultsOf(withRules(`{ name: a, match: { path: "${'x'.repeat(100_000)}" }, allow: anyone }`));
    expect(path.join()).toMatch(/: "x{120}…" does not start with "\/"\. Write "\/x{119}…"$/);
    const deep = faultsOf(`${SMALLEST}tokens: { ${'y'.repeat(100_000)}: 1 }\n`).join();
    expect(deep.length).toBeLessThan(2_000);
    expect(deep).toMatch(/^f\.yaml:5:11: tokens\.y+…: the key "y+…" is not known/);
  });

  test('a huge file is refused unread', () => {
    expect(faultsOf(`${SMALLEST}#${' '.repeat(4_200_000)}`)).toEqual([
      'f.yaml:1:1: it is larger than 4194304 bytes. Split it: one file is one edge',
    ]);
  });

  test('a file of too many marks is refused before it is taken apart', () => {
    expect(faultsOf(`a:${'\n'.repeat(1_600_000)}`)).toEqual([
      'f.yaml:1:1: it has more than 1500000 words and marks. Split it: one file is one edge',
    ]);
  });

  test('a file that is deeper than any key is refused as that', () => {
    expect(faultsOf(`a: ${'['.repeat(65)}${']'.repeat(65)}`)).toEqual([
      'f.yaml:1:1: it is nested too deeply to be read. Keep it under 64 levels',
    ]);
    expect(faultsOf(`a: ${'['.repeat(60)}${']'.repeat(60)}`).join()).toContain('the key "a" is not known');
  });

  test('rules that overlap in all possible ways are refused before they take their square', () => {
    const depth = 12;
    const mixed = Array.from({ length: 2 ** depth }, (_, bits) =>
      Array.from({ length: depth }, (_, i) => ((bits >> i) & 1 ? '/*' : '/a')).join(''),
    );
    const match = (path: string, i: number, method: string) =>
      `{ name: r${i}, match: { path: "${path}", methods: [${method}] }, allow: anyone }`;
    const wide = mixed.map((path, i) => match(`${path}/*`, i, 'GET'));
    const narrow = mixed.map((_, i) => match(`${'/a'.repeat(depth)}/b${i}`, mixed.length + i, 'POST'));
    const faults = faultsOf(withRules(...wide, ...narrow));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/: rules\[\d+\]\.match\.path: the rules up to here overlap in more ways than/);
    // By themselves they are in order.
    expect(faultsOf(withRules(...wide))).toEqual([]);
  });
});

describe('a large file that is meant well', () => {
  const count = 10_000;
  const rule = (i: number) => `  - name: rule-${i}
    match:
      host: api-${i % 50}.acme.com
      path: "/tenants/*/orders-${i}/**"
      methods: [GET, POST, PUT, DELETE]
    require: { token: { scopes: [orders.read, orders.write] } }
`;
  const rules = Array.from({ length: count }, (_, i) => rule(i));
  const some = rules.slice(0, 2_000);
  const head = `${SMALLEST}tokens: { audiences: [https://api.acme.com] }\nrules:\n`;

  test('ten thousand rules are read', () => {
    const config = parseConfig(head + rules.join(''), 'f.yaml', { env: {} });
    expect(config.rules).toHaveLength(count);
    // What thousands of them ask for alike stands in memory once.
    expect(new Set(config.rules.map(({ access }) => access)).size).toBe(1);
  });

  test('thousands of rules may share an alias', () => {
    const shared = some.map((text, i) => text.replace(/\[orders.*\]/, i === 0 ? '&scopes [orders.read]' : '*scopes'));
    const config = parseConfig(head + shared.join(''), 'f.yaml', { env: {} });
    expect(config.rules.at(-1)?.access).toMatchObject({ anyOf: [{ scopes: ['orders.read'] }] });
  });

  test('the last of thousands has its faults at their places', () => {
    const last = rule(2_000).replace('orders.write', '"orders write"').replace('rule-', 'RULE-');
    expect(faultsOf(head + some.join('') + last)).toEqual([
      `f.yaml:${7 + 6 * 2_000}:11: rules[2000].name: not a rule name. Use a-z, 0-9 and "-", at most 63 characters`,
      `f.yaml:${12 + 6 * 2_000}:47: rules[2000].require.token.scopes[1]: not a scope. Write each one for itself, without spaces`,
    ]);
    expect(faultsOf(head + some.join('') + rule(0))).toEqual([
      `f.yaml:${7 + 6 * 2_000}:11: rules[2000].name: another rule is called "rule-0". Rules need names of their own: they stand in logs and metrics`,
      `f.yaml:${9 + 6 * 2_000}:7: rules[2000].match: the rule can never match: "rule-0" before it takes every such request. Move it up, or take it out`,
    ]);
  });

  test('of thousands of faults the first hundred are told', () => {
    const faults = faultsOf(head + some.join('').replaceAll('GET', 'get'));
    expect(faults).toHaveLength(100);
    expect(faults[0]).toContain('f.yaml:11:17: rules[0].match.methods[0]: not a method');
    expect(faults[99]).toContain(' rules[99].match.methods[0]: not a method');
  });
});

function claims(count: number): string {
  return Array.from({ length: count }, (_, i) => `k${i}: []`).join(', ');
}
