// The expressions that Oathkeeper gets, against the rules themselves: a request has at most one access rule, and it is that
// of the first match.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { normalise } from '../../check/request/normalise.ts';
import { createFindRule } from '../../check/rule/find-rule.ts';
import { request } from '../../check/testing/request.ts';
import type { Rule } from '../../config/config.ts';
import { parseHostPattern, parsePathGlob } from '../../config/pattern.ts';
import { saidSeed } from '../../testing/seed.ts';
import { allMethods, methodGroups } from './methods.ts';
import { matchUrl } from './url-pattern.ts';

const segment = fc.constantFrom(
  'a',
  'b',
  'a.b',
  '(a|b)',
  '[a]',
  '$',
  '^a',
  '+',
  'é',
  '%C3%A9',
  '%3Ca%3E',
  '%20',
  'x{2}',
  '-',
);
const path = fc
  .tuple(fc.array(fc.oneof(segment, fc.constant('*')), { maxLength: 3 }), fc.constantFrom('', '/', '/**'))
  .map(([segments, end]) => `${segments.map((one) => `/${one}`).join('')}${end}` || '/');
const HOSTS = ['com', 'acme.com', 'api.acme.com', 'x.api.acme.com', 'xacme.com', '[::1]', 'acmexcom'];
const host = fc.option(fc.constantFrom(...HOSTS, '*.com', '*.acme.com', '*.api.acme.com'), { nil: undefined });
const methods = fc.option(fc.subarray(['GET', 'POST', 'PUT'], { minLength: 1 }), { nil: undefined });
const rules = fc
  .array(fc.record({ path, host, methods, redirects: fc.boolean() }), { minLength: 1, maxLength: 7 })
  .map((written) => written.map((one, i) => toRule(one, i)));

interface Written {
  readonly path: string;
  readonly host: string | undefined;
  readonly methods: readonly string[] | undefined;
  readonly redirects: boolean;
}

function toRule({ path, host, methods, redirects }: Written, position: number): Rule {
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
    unauthenticated: redirects ? 'redirect' : 'deny',
    corsOrigins: undefined,
  };
}

/** As Oathkeeper reads `match.url`; its `(?i:` and lookaheads mean the same here. */
function expressionOf(url: string): RegExp {
  expect(url.slice(1, -1)).not.toMatch(/[<>]/);
  return new RegExp(`^(${url.slice(1, -1)})$`, 'u');
}

/** Characters as a request brings them: bytes. */
function asBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

const asked = fc.record({
  method: fc.constantFrom('GET', 'POST', 'DELETE', 'PROPFIND'),
  host: fc.oneof(fc.constantFrom(...HOSTS), fc.constantFrom('API.acme.com.:80', 'evil.test', 'a.b.acme.com:1')),
  path: fc
    .array(fc.oneof(segment, fc.constantFrom('y', 'x.acme.com', 'acme.com')), { maxLength: 4 })
    .chain((segments) =>
      fc.constantFrom('', '/').map((end) => `/${segments.join('/')}${segments.length > 0 ? end : ''}`),
    ),
});

let found = 0;
function matched(name: string | undefined): string[] {
  if (name === undefined) return [];
  found++;
  return [name];
}

test('a request has the access rule of the first match, or none', () => {
  fc.assert(
    fc.property(rules, fc.array(asked, { minLength: 1, maxLength: 20 }), (all, requests) => {
      const findRule = createFindRule(all);
      const every = allMethods(all);
      const accessRules = all.flatMap((rule, i) =>
        methodGroups(rule, all.slice(0, i), every).map((group) => ({
          name: rule.name,
          methods: group.methods,
          expression: expressionOf(matchUrl(rule, group.earlier)),
        })),
      );
      for (const { method, host, path } of requests) {
        const normal = normalise(request({ method, host, path: asBytes(path) }));
        if (!normal) continue;
        const url = `http://${host}${decodeURIComponent(path)}`;
        const matching = accessRules.filter((one) => one.methods.includes(method) && one.expression.test(url));
        expect([url, matching.map(({ name }) => name)]).toEqual([url, matched(findRule(normal)?.name)]);
      }
    }),
    { numRuns: 500 },
  );
  expect(found, saidSeed()).toBeGreaterThan(200);
});
