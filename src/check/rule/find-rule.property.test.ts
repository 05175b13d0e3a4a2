// The index of rules against the design's own words, read slowly: one rule after another, one segment after another.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Rule } from '../../config/config.ts';
import { parseHostPattern, parsePathGlob } from '../../config/pattern.ts';
import { saidSeed } from '../../testing/seed.ts';
import { normalise } from '../request/normalise.ts';
import { request } from '../testing/request.ts';
import { createFindRule } from './find-rule.ts';

/** `match` as the file has it. */
interface Written {
  readonly path: string;
  readonly host: string | undefined;
  readonly methods: readonly string[] | undefined;
}

function toRule({ path, host, methods }: Written, position: number): Rule {
  const glob = parsePathGlob(path);
  const pattern = host === undefined ? undefined : parseHostPattern(host);
  if (!glob.ok || pattern?.ok === false) throw new Error(`${path} ${host} is refused`);
  return {
    name: String(position),
    path: glob.value,
    host: pattern?.value,
    methods,
    upstream: 'app',
    access: { kind: 'anyone' },
    unauthenticated: 'deny',
    corsOrigins: undefined,
  };
}

/** "Literals, * (one segment, not empty), ** (the rest, last only; /admin/** includes /admin and /admin/)." */
function pathFits([want, ...wants]: readonly string[], [have, ...haves]: readonly string[]): boolean {
  if (want === undefined) return have === undefined;
  if (want === '**') return true;
  if (have === undefined) return false;
  const fits = want === '*' ? have !== '' : decodeURIComponent(want) === decodeURIComponent(have);
  return fits && pathFits(wants, haves);
}

/** "Exact or *.suffix (any depth), case and port ignored." */
function hostFits(pattern: string, host: string): boolean {
  const labels = (text: string) => text.toLowerCase().replace(/\.$/, '').split('.').reverse();
  const have = labels(host.replace(/:\d*$/, ''));
  const want = labels(pattern);
  const wild = want.at(-1) === '*';
  if (wild) want.pop();
  return (wild ? have.length > want.length : have.length === want.length) && want.every((one, i) => one === have[i]);
}

function slowly(rules: readonly Written[], { method, host, path }: { method: string; host: string; path: string }) {
  const position = rules.findIndex(
    (rule) =>
      pathFits(rule.path.slice(1).split('/'), path.slice(1).split('/')) &&
      (rule.host === undefined || hostFits(rule.host, host)) &&
      (rule.methods === undefined || rule.methods.includes(method)),
  );
  return position < 0 ? undefined : String(position);
}

const literal = fc.constantFrom('a', 'b', 'A', 'a.b', 'ab', 'é', '%c3%a9', '@', '%40', '...');
const path = fc
  .tuple(
    fc.array(fc.oneof({ weight: 2, arbitrary: literal }, { weight: 1, arbitrary: fc.constant('*') }), { maxLength: 4 }),
    fc.constantFrom('', '/', '/**', '/**'),
  )
  .map(([segments, end]) => `${segments.map((one) => `/${one}`).join('')}${end}` || '/');
const HOSTS = ['com', 'acme.com', 'api.acme.com', 'x.api.acme.com', 'xacme.com', '[::1]', '10.0.0.1'];
const host = fc.option(fc.constantFrom(...HOSTS, '*.com', '*.acme.com', '*.api.acme.com', 'Api.ACME.com.'), {
  nil: undefined,
});
const METHODS = ['GET', 'POST', 'PUT'];
const methods = fc.option(fc.subarray(METHODS, { minLength: 1 }), { nil: undefined });
const written: fc.Arbitrary<Written> = fc.record({ path, host, methods });
/** Many rules on few places, which their methods tell apart. */
const crowded: fc.Arbitrary<Written> = fc.record({
  path: fc.constantFrom('/a', '/a/**', '/*'),
  host: fc.constantFrom(undefined, 'acme.com', '*.com'),
  methods: fc.oneof(
    { weight: 1, arbitrary: fc.constant(undefined) },
    { weight: 4, arbitrary: fc.subarray(METHODS, { minLength: 1 }) },
  ),
});

/** A path that a glob matches, or that is one step away from one. */
const near = (globs: readonly string[]) =>
  fc
    .tuple(
      fc.constantFrom(...globs),
      fc.array(literal, { minLength: 4, maxLength: 4 }),
      fc.array(literal, { maxLength: 2 }),
      fc.constantFrom<(path: string) => string>(
        (one) => one,
        (one) => one,
        (one) => `${one}/`,
        (one) => `${one}/a`,
        (one) => one.slice(0, one.lastIndexOf('/')) || '/',
        (one) => one.replace(/\/[^/]*/, '') || '/',
        (one) => one.replace('a', 'A'),
        (one) => one.replace('%c3%a9', '%C3%A9'),
        (one) => `${one}b`,
      ),
    )
    .map(([glob, filling, rest, step]) => {
      const segments = glob
        .slice(1)
        .split('/')
        .flatMap((one, i) => (one === '**' ? rest : one === '*' ? [filling[i] ?? 'a'] : [one]));
      return step(`/${segments.join('/')}`);
    });

const asked = (rules: readonly Written[]) =>
  fc.record({
    method: fc.constantFrom(...METHODS, 'DELETE', 'G'),
    host: fc.constantFrom(...HOSTS, 'a.xacme.com', 'other.example', 'API.acme.com:8080', 'acme.com.', 'y.x.acme.com'),
    path: near(rules.map((rule) => rule.path)),
  });

/** Characters as a request brings them: bytes. */
function asBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

describe('the index finds what reading the rules one by one finds', () => {
  test('for any rules, and requests near their boundaries', () => {
    const some = fc
      .oneof(...[written, crowded].map((rule) => fc.array(rule, { minLength: 1, maxLength: 40, size: 'max' })))
      .chain((rules) => fc.tuple(fc.constant(rules), fc.array(asked(rules), { minLength: 1, maxLength: 10 })));
    let matched = 0;
    fc.assert(
      fc.property(some, ([rules, requests]) => {
        const find = createFindRule(rules.map(toRule));
        for (const one of requests) {
          const target = normalise(request({ ...one, path: asBytes(one.path) }));
          if (!target) continue;
          const expected = slowly(rules, one);
          expect(find(target)?.name, JSON.stringify(one)).toBe(expected);
          if (expected !== undefined) matched++;
        }
      }),
      { numRuns: 3_000 },
    );
    // Else the requests are not near anything.
    expect(matched, saidSeed()).toBeGreaterThan(3_000);
  });

  test('for every mixture of literals and "*", where each request has the most ways to go', () => {
    const depth = 9;
    const mixtures = Array.from({ length: 2 ** depth }, (_, bits) =>
      Array.from({ length: depth }, (_, i) => ((bits >> i) & 1 ? '/*' : '/a')).join(''),
    );
    fc.assert(
      fc.property(
        fc.shuffledSubarray(mixtures, { minLength: 1 }),
        fc.array(fc.constantFrom('a', 'a', 'a', 'b'), { minLength: depth, maxLength: depth }),
        fc.constantFrom(...METHODS),
        (paths, segments, method) => {
          const rules = paths.map((one, i) => ({
            path: one,
            host: undefined,
            methods: i % 3 === 0 ? undefined : [METHODS[i % 2] ?? ''],
          }));
          const target = { method, host: 'a', path: `/${segments.join('/')}` };
          expect(createFindRule(rules.map(toRule))(target)?.name).toBe(slowly(rules, target));
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('no request costs more than reading every rule', () => {
  const find = (rules: readonly Written[]) => createFindRule(rules.map(toRule));
  const of = (path: string, more: Partial<Written> = {}): Written => ({
    path,
    host: undefined,
    methods: undefined,
    ...more,
  });

  test('a path of eight thousand segments, and globs as deep', () => {
    const deep = '/a'.repeat(8_000);
    const found = find([of(`${deep}/b`), of(`${'/*'.repeat(8_000)}/c`), of(`${'/*'.repeat(20_000)}`), of('/a/**')]);
    expect(found({ method: 'GET', host: 'a', path: `${deep}/c` })?.name).toBe('1');
    expect(found({ method: 'GET', host: 'a', path: `${deep}/d` })?.name).toBe('3');
  });

  test('a host of a hundred labels, and a rule for each of its suffixes', () => {
    const labels = Array.from({ length: 100 }, () => 'a');
    const rules = labels.slice(1).map((_, i) => of('/x', { host: `*.${labels.slice(i + 1).join('.')}` }));
    const found = find([...rules, of('/y', { host: '*.a' })]);
    expect(found({ method: 'GET', host: labels.join('.'), path: '/x' })?.name).toBe('0');
    expect(found({ method: 'GET', host: labels.join('.'), path: '/y' })?.name).toBe('99');
    expect(found({ method: 'GET', host: 'a', path: '/y' })).toBeUndefined();
  });

  test('a host that is nothing but a suffix', () => {
    const found = find([of('/x', { host: '*.acme.com' }), of('/**')]);
    expect(found({ method: 'GET', host: '.acme.com', path: '/x' })?.name).toBe('1');
  });

  test('a thousand rules on one path, by method', () => {
    const name = (i: number) => `M${[...String(i)].map((digit) => String.fromCharCode(65 + Number(digit))).join('')}`;
    const found = find(Array.from({ length: 1_000 }, (_, i) => of('/x', { methods: [name(i)] })));
    for (const i of [0, 1, 500, 999]) {
      expect(found({ method: name(i), host: 'a', path: '/x' })?.name).toBe(String(i));
    }
    expect(found({ method: '__proto__', host: 'a', path: '/x' })).toBeUndefined();
  });

  test.each(['__proto__', 'constructor', 'toString'])('a segment called %s is a segment', (word) => {
    const found = find([of(`/${word}/x`), of('/**')]);
    expect(found({ method: 'GET', host: 'a', path: `/${word}/x` })?.name).toBe('0');
    expect(found({ method: 'GET', host: word, path: '/y' })?.name).toBe('1');
  });
});
