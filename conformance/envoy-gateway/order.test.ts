// First match wins, whatever the order in which Envoy Gateway puts routes: generated policies, compared with the engine.
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { normalise } from '../../src/check/request/normalise.ts';
import { createFindRule } from '../../src/check/rule/find-rule.ts';
import { request as checkRequest } from '../../src/check/testing/request.ts';
import { saidSeed } from '../../src/testing/seed.ts';
import { allow, sendRaw } from '../edge/envoy-rig.ts';
import { type Rig, startRig, withSpec } from './rig.ts';

/** Few and short, so that rules overlap. */
const SEGMENTS = ['a', 'b.c', 'a@b'];
const HOSTS = [undefined, undefined, undefined, 'api.test', 'app.test', '*.test', '*.in.api.test'];
const METHODS = [undefined, undefined, ['GET'], ['POST', 'DELETE'], ['GET', 'HEAD', 'PUT']];

const path = fc
  .tuple(fc.array(fc.constantFrom(...SEGMENTS, '*'), { maxLength: 3 }), fc.constantFrom('', '', '/**', '/'))
  .map(([segments, end]) => (segments.length === 0 && end !== '/**' ? '/' : `/${segments.join('/')}${end}`))
  .map((text) => text.replace('//', '/'));

interface WrittenRule {
  readonly path: string;
  readonly host: string | undefined;
  readonly methods: readonly string[] | undefined;
  readonly open: boolean;
  readonly upstream: string;
}

const UPSTREAMS = ['one', 'two', 'three'];
const rules: fc.Arbitrary<WrittenRule[]> = fc.array(
  fc.record({
    path,
    host: fc.constantFrom(...HOSTS),
    methods: fc.constantFrom(...METHODS),
    open: fc.boolean(),
    upstream: fc.constantFrom(...UPSTREAMS),
  }),
  { minLength: 8, maxLength: 22 },
);

interface Sent {
  readonly method: string;
  readonly host: string;
  readonly path: string;
}

const sent: fc.Arbitrary<Sent> = fc.record({
  method: fc.constantFrom('GET', 'GET', 'POST', 'DELETE', 'PUT', 'HEAD', 'PATCH', 'OPTIONS', 'PROPFIND', 'TRACE'),
  host: fc.constantFrom(
    'api.test',
    'API.test:80',
    'api.test.',
    'app.test',
    'x.in.api.test',
    'other',
    '[::1]:80',
    '1.2.3.4',
  ),
  path: fc
    .tuple(
      fc.array(
        fc.oneof(
          { weight: 8, arbitrary: fc.constantFrom(...SEGMENTS) },
          { weight: 1, arbitrary: fc.constantFrom('A', 'a%40b', 'caf%c3%a9', 'b;c', '%25', '%e0%80%af') },
        ),
        { maxLength: 3 },
      ),
      fc.constantFrom('', '/', '?q=/admin'),
    )
    .map(([segments, end]) => `/${segments.join('/')}${segments.length === 0 && end === '/' ? '' : end}`),
});
/** At a rule: chance alone seldom meets one. */
function aimedAt(written: readonly WrittenRule[]): fc.Arbitrary<Sent> {
  return fc
    .tuple(fc.constantFrom(...written), sent, fc.array(fc.constantFrom(...SEGMENTS), { minLength: 4, maxLength: 4 }))
    .map(([rule, other, segments]) => {
      const steps = rule.path.split('/').map((step, i) => (step === '*' ? (segments[i] ?? 'a') : step));
      const path = steps.at(-1) === '**' ? [...steps.slice(0, -1), ...segments.slice(2)].join('/') : steps.join('/');
      return {
        path: path === '' ? '/' : path,
        host: rule.host?.replace('*', 'x') ?? other.host,
        method: rule.methods?.[0] ?? other.method,
      };
    });
}

/** Fewer than a run of days would find, and others each time. */
const POLICIES = 3;
const REQUESTS = 100;

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

function policyOf(written: readonly WrittenRule[]): string {
  const lines = written.map(({ path, host, methods, open, upstream }, i) => {
    const match = [
      `path: "${path}"`,
      ...(host === undefined ? [] : [`host: "${host}"`]),
      ...(methods ? [`methods: [${methods.join(', ')}]`] : []),
    ];
    const access = open ? 'allow: anyone' : 'require: { session: {} }';
    return `  - { name: r${i}, match: { ${match.join(', ')} }, upstream: ${upstream}, ${access} }`;
  });
  return `rules:\n${lines.join('\n')}`;
}

/** Which application it reaches where the authorizer says yes to everything, and whether it was asked. */
interface Way {
  readonly asked: boolean;
  /** Undefined: none. */
  readonly application: string | undefined;
}

/** Undefined where a path has two readings: it is asked about, and then it does not matter where it would go. */
function expected({ config: { rules } }: Rig): (one: Sent) => Way | 'asked' {
  const find = createFindRule(rules);
  return ({ method, host, path }) => {
    const target = normalise({ ...checkRequest(), method, host, path: path.split('?')[0] ?? '' });
    if (!target) return 'asked';
    const rule = find(target);
    const native = rule?.access.kind === 'anyone' && !['TRACE', 'PROPFIND'].includes(method);
    return { asked: !native, application: rule?.upstream };
  };
}

async function wayOf(rig: Rig, { method, host, path }: Sent): Promise<Way> {
  const before = rig.checks.length;
  const head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;
  const { status, headers } = await sendRaw(rig.port, Buffer.from(head, 'utf8'));
  expect([200, 403], `${method} ${path}`).toContain(status);
  return {
    asked: rig.checks.length > before,
    application: headers.find(([name]) => name === 'x-application')?.[1],
  };
}

describe.each([
  ['in the order of Gateway API', undefined],
  ['in the order of the objects', true],
])('%s', (_, preserveRouteOrder) => {
  test('a request meets the first rule that matches, and none is let in past one that asks', async () => {
    // More rules are several HTTPRoutes, whose own order would then be that of their age.
    const most = preserveRouteOrder ? 13 : 22;
    let ran = 0;
    for (const written of fc.sample(rules, 20 * POLICIES)) {
      if (ran === POLICIES) break;
      const used = written.slice(0, most);
      try {
        rig = await startRig({
          policy: policyOf(used),
          upstreams: UPSTREAMS,
          answer: allow(),
          objects: (stream) => withSpec(stream, 'EnvoyProxy', ['preserveRouteOrder'], preserveRouteOrder),
        });
      } catch (error) {
        // A rule that can never match, and the like: the file itself is refused.
        if ((error as Error).name === 'ConfigError') continue;
        throw error;
      }
      const want = expected(rig);
      const found: string[] = [];
      for (const one of [...fc.sample(sent, REQUESTS), ...fc.sample(aimedAt(used), REQUESTS)]) {
        const got = await wayOf(rig, one);
        const wanted = want(one);
        const same = wanted === 'asked' ? got.asked : isDeepStrictEqual(got, wanted);
        if (!same) found.push(`${JSON.stringify(one)}: ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`);
      }
      expect(found, `${saidSeed()}\n${policyOf(used)}`).toEqual([]);
      await rig.close();
      ran++;
    }
    expect(ran, saidSeed()).toBe(POLICIES);
  });

  test('a long path of an open rule does not come before a short one that asks', async () => {
    rig = await startRig({
      policy: `rules:
  - { name: short, match: { path: "/*/b" }, require: { session: {} } }
  - { name: long, match: { path: "/a/**" }, allow: anyone }`,
      objects: (stream) => withSpec(stream, 'EnvoyProxy', ['preserveRouteOrder'], preserveRouteOrder),
    });
    expect((await sendRaw(rig.port, 'GET /a/b HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')).status).toBe(401);
    expect((await sendRaw(rig.port, 'GET /a/c HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')).status).toBe(200);
  });
});
