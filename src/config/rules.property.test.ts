// Rules that can never match and names that are taken, against reading every pair of rules.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Fault } from './fault.ts';
import { hostCovers, parseHostPattern, parsePathGlob, pathCovers } from './pattern.ts';
import { resolveRules } from './rules.ts';
import { configSchema, type RuleEntry } from './schema.ts';

function found(rules: readonly RuleEntry[]): Fault[] {
  const file = configSchema.parse({ ory: { url: 'https://a' }, edge: { upstream: 'http://a:1' }, rules });
  const faults: Fault[] = [];
  resolveRules(file, new Map([['app', { url: new URL('http://a:1'), http2: false }]]), (fault) => faults.push(fault));
  return faults.filter(({ problem }) => /never match|is called/.test(problem));
}

/** `wide` takes every request of `narrow`, methods aside; patterns that are refused take none, and are in nobody's way. */
function covers(wide: RuleEntry, narrow: RuleEntry): boolean {
  const [path, other] = [parsePathGlob(wide.match.path), parsePathGlob(narrow.match.path)];
  if (!path.ok || !other.ok || !pathCovers(path.value, other.value)) return false;
  const [host, otherHost] = [wide, narrow].map(({ match }) =>
    match.host === undefined ? undefined : parseHostPattern(match.host),
  );
  if (host?.ok === false || otherHost?.ok === false) return false;
  return hostCovers(host?.value, otherHost?.value);
}

function slowly(rules: readonly RuleEntry[]): Fault[] {
  const faults: Fault[] = [];
  for (const [i, rule] of rules.entries()) {
    const earlier = rules.slice(0, i);
    if (earlier.some(({ name }) => name === rule.name)) {
      faults.push({
        path: ['rules', i, 'name'],
        problem: `another rule is called "${rule.name}"`,
        fix: 'Rules need names of their own: they stand in logs and metrics',
      });
    }
    const covering = earlier.filter((other) => covers(other, rule));
    const { methods } = rule.match;
    const first = (method: string) => covering.find(({ match }) => match.methods?.includes(method));
    const all = covering.find(({ match }) => !match.methods);
    const together = methods?.every(first) ? covering.filter((one) => methods.some((of) => first(of) === one)) : [];
    const names = (all ? [all] : together).map(({ name }) => `"${name}"`);
    if (names.length === 0) continue;
    faults.push({
      path: ['rules', i, 'match'],
      problem: `the rule can never match: ${names.join(', ').replace(/, ([^,]*)$/, ' and $1')} before it ${names.length > 1 ? 'together take' : 'takes'} every such request`,
      fix: 'Move it up, or take it out',
    });
  }
  return faults;
}

const segment = fc.constantFrom('a', 'b', '%40', '@', '*', '*');
const path = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .tuple(fc.array(segment, { maxLength: 4 }), fc.constantFrom('', '/', '/**'))
      .map(([segments, end]) => `${segments.map((one) => `/${one}`).join('')}${end}` || '/'),
  },
  { weight: 1, arbitrary: fc.constantFrom('/a//b', 'a', '/**/a', '/a*') },
);
const host = fc.constantFrom(
  undefined,
  undefined,
  'acme.com',
  'api.acme.com',
  'x.api.acme.com',
  '*.acme.com',
  '*.api.acme.com',
  '*.com',
  '[::1]',
  'bad:host',
);
const methods = fc.option(fc.subarray(['GET', 'POST', 'PUT', 'DELETE'], { minLength: 1 }), { nil: undefined });
const rule = fc.record({ name: fc.nat(40), path, host, methods }).map(
  ({ name, ...match }): RuleEntry => ({
    name: `r${name}`,
    match: Object.fromEntries(Object.entries(match).filter(([, value]) => value !== undefined)) as RuleEntry['match'],
    allow: 'anyone',
  }),
);

test('the faults between rules are those of every pair, in the same words and places', () => {
  let shadowed = 0;
  let together = 0;
  fc.assert(
    fc.property(fc.array(rule, { minLength: 1, maxLength: 30, size: 'max' }), (rules) => {
      const expected = slowly(rules);
      expect(found(rules)).toEqual(expected);
      const matches = expected.filter(({ path: place }) => place[2] === 'match');
      shadowed += matches.length;
      together += matches.filter(({ problem }) => problem.includes('together')).length;
    }),
    { numRuns: 1_000 },
  );
  // Else the rules are never in each other's way.
  expect(shadowed).toBeGreaterThan(500);
  expect(together).toBeGreaterThan(50);
});
