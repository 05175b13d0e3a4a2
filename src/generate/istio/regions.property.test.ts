// What Istio's policies match, against the first match of the rules: over random policies and requests.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseConfig } from '../../config/load.ts';
import { canonicalPath } from '../../config/path.ts';
import { hostMatches, pathMatches } from '../../config/pattern.ts';
import type { Plan, PlannedRule } from '../plan.ts';
import { askedOperations } from './asked.ts';
import { regions } from './native.ts';
import type { Operation } from './operation.ts';
import { makeIstioPlan } from './plan.ts';

interface Request {
  readonly authority: string;
  readonly path: string;
  readonly method: string;
}

/** As Istio's control plane and Envoy read a value: `*` at one end, or a template. */
function valueMatches(value: string, text: string): boolean {
  if (value.includes('{')) {
    const regex = value.replaceAll('.', '\\.').replaceAll('{**}', '[^{}]*').replaceAll('{*}', '[^/{}]+');
    return new RegExp(`^${regex}$`).test(text);
  }
  if (value === '*') return text !== '';
  if (value.startsWith('*')) return text.endsWith(value.slice(1));
  return value.endsWith('*') ? text.startsWith(value.slice(0, -1)) : text === value;
}

function matches(operation: Operation, { authority, path, method }: Request): boolean {
  const any = (values: readonly string[] | undefined, text: string) =>
    values === undefined ? undefined : values.some((value) => valueMatches(value, text));
  const host = authority.toLowerCase();
  return (
    any(operation.paths, path) !== false &&
    any(operation.hosts, host) !== false &&
    any(operation.methods, method) !== false &&
    any(operation.notPaths, path) !== true &&
    any(operation.notHosts, host) !== true &&
    any(operation.notMethods, method) !== true
  );
}

function firstMatch({ rules }: Plan, { authority, path, method }: Request): PlannedRule | undefined {
  const host = authority.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '');
  const canonical = canonicalPath(path);
  if (canonical === undefined) throw new Error(`the guard would have refused ${path}`);
  const segments = canonical.slice(1).split('/');
  return rules.find(
    ({ match }) =>
      (!match.host || hostMatches(match.host, host)) &&
      pathMatches(match.path, segments) &&
      (!match.methods || match.methods.includes(method)),
  );
}

const ACCESS = {
  open: { allow: 'anyone' },
  session: { require: { session: {} } },
  read: { require: { token: { scopes: ['read'] } } },
  write: { require: { token: { scopes: ['write'] } } },
};

function planOf(rules: readonly object[]): Plan | undefined {
  const text = JSON.stringify({
    ory: { hydra: { public_url: 'http://h.ory', issuer: 'https://i' }, kratos: { public_url: 'http://k.ory' } },
    tokens: { audiences: ['a'] },
    rules,
    edge: { upstream: 'http://app.shop' },
  });
  try {
    return makeIstioPlan(parseConfig(text, 'x', { env: {} }), { edgeCache: false });
  } catch {
    // A rule that can never match is refused, and so is one without a path.
    return undefined;
  }
}

const segment = (of: readonly string[]) => fc.constantFrom(...of);
const glob = (of: readonly string[]) =>
  fc
    .tuple(fc.array(segment(of), { maxLength: 3 }), fc.constantFrom('', '', '/', '/**', '/**'))
    .map(([segments, end]) => `${segments.map((one) => `/${one}`).join('')}${end}` || '/');
const rule = (
  kinds: readonly (keyof typeof ACCESS)[],
  segments: readonly string[],
  hosts: readonly (string | undefined)[],
) =>
  fc.record({
    path: glob(segments),
    host: fc.constantFrom(...hosts),
    methods: fc.option(fc.subarray(['GET', 'POST', 'PUT'], { minLength: 1 }), { nil: undefined }),
    kind: fc.constantFrom(...kinds),
  });
const request = fc.record({
  authority: fc.constantFrom(
    'acme.com',
    'API.acme.com',
    'api.acme.com:8080',
    'x.api.acme.com',
    'acme.com.',
    'other.org',
  ),
  path: fc
    .tuple(fc.array(segment(['a', 'b', 'c', '@', '%40', 'a.b']), { maxLength: 4 }), fc.constantFrom('', '/'))
    .map(([segments, end]) => `${segments.map((one) => `/${one}`).join('')}${end}` || '/'),
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
});

test('whatever is not asked is a request that an open rule is the first to match', () => {
  let open = 0;
  fc.assert(
    fc.property(
      fc.array(
        rule(
          ['open', 'open', 'session', 'read'],
          ['a', 'a', 'b', '*', '@'],
          [undefined, undefined, undefined, undefined, 'acme.com', 'api.acme.com', '*.acme.com'],
        ),
        { minLength: 1, maxLength: 6 },
      ),
      fc.array(request, { minLength: 20, maxLength: 20 }),
      (rules, requests) => {
        // One rule that takes sessions, so that the policy is asked about.
        const plan = planOf([
          ...rules.map(({ kind, ...match }, i) => ({ name: `r${i}`, match, ...ACCESS[kind] })),
          { name: 'last', match: { path: '/last' }, ...ACCESS.session },
        ]);
        if (plan?.authorizer !== true) return;
        const asked = askedOperations(plan.rules);
        for (const one of requests) {
          if (asked.some(({ operation }) => matches(operation, one))) continue;
          expect(firstMatch(plan, one)?.verdict.kind, JSON.stringify(one)).toBe('open');
          open += 1;
        }
      },
    ),
    { numRuns: 2_000 },
  );
  expect(open).toBeGreaterThan(100);
});

test('where nobody is asked, a request is in the region of the first rule that matches it, and in no other', () => {
  let native = 0;
  fc.assert(
    fc.property(
      fc.array(
        rule(
          ['open', 'read', 'write'],
          ['a', 'a', 'a', 'b', 'b', 'b', 'c', 'c', '*', '@'],
          [undefined, undefined, undefined, undefined, 'acme.com', 'api.acme.com', '*.acme.com'],
        ),
        {
          minLength: 1,
          maxLength: 6,
        },
      ),
      fc.array(request, { minLength: 20, maxLength: 20 }),
      (rules, requests) => {
        const plan = planOf(rules.map(({ kind, ...match }, i) => ({ name: `r${i}`, match, ...ACCESS[kind] })));
        if (plan?.authorizer !== false) return;
        const all = regions(plan.rules) ?? [];
        for (const one of requests) {
          const found = all.filter(({ operations }) => operations.some((operation) => matches(operation, one)));
          const first = firstMatch(plan, one);
          expect(
            found.map(({ rule: { name } }) => name),
            JSON.stringify(one),
          ).toEqual(first ? [first.name] : []);
          native += first ? 1 : 0;
        }
      },
    ),
    { numRuns: 2_000 },
  );
  expect(native).toBeGreaterThan(500);
});
