// Which paths and hosts reach which rule: the generated routes against src/config's own matching, on a real Envoy.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Rule } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/load.ts';
import { canonicalPath } from '../../src/config/path.ts';
import { hostMatches, pathMatches } from '../../src/config/pattern.ts';
import { deny, echoed, get, headerOf, type RawAnswer, type Rig, sendRaw, startRig } from './envoy-rig.ts';

const RULES: readonly [name: string, match: string][] = [
  ['host-exact', 'host: api.acme.com, path: "/a/**"'],
  ['host-suffix', 'host: "*.acme.com", path: "/a/*"'],
  ['host-v6', 'host: "[::1]", path: "/a/**"'],
  ['methods', 'path: "/a/b", methods: [GET, HEAD]'],
  ['method', 'path: "/a/b/**", methods: [DELETE]'],
  ['literal', 'path: "/a/b"'],
  ['slash', 'path: "/a/b/"'],
  ['stars', 'path: "/a/*/*/b"'],
  ['rest', 'path: "/a/b/**"'],
  ['star-rest', 'path: "/*/é/**"'],
  ['escaped', 'path: "/%C3%A9/a|b"'],
  ['dots', 'path: "/.../.a/a.."'],
  ['marks', `path: "/a!$&'()+,=:@[]~/*"`],
  ['root', 'path: "/"'],
  ['long', `path: "/${'long'.repeat(60)}/*/x"`],
];
const config = `rules: [${RULES.map(([name, match]) => `{ name: ${name}, match: { ${match} }, allow: anyone, upstream: ${name} }`).join(', ')}]`;
const names = RULES.map(([name]) => name);

let rig: Rig;
let rules: readonly Rule[];

beforeAll(async () => {
  rig = await startRig({ config, upstreams: names, answer: deny(403, { vary: 'no-rule' }) });
  const upstreams = names.map((name) => `${name}: http://127.0.0.1:1`).join(', ');
  rules = parseConfig(`ory: { url: http://127.0.0.1:1 }\n${config}\nedge: { upstreams: { ${upstreams} } }`, 'x', {
    env: {},
  }).rules;
});
afterAll(() => rig?.close());

const piece = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'x', 'admin', '.', '..', '...', '.a', 'a..', '') },
  { weight: 3, arbitrary: fc.constantFrom('/', '//', '\\', ';', ';x=1', '..;', '%', '%2', '%zz', '%u0041') },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.nat(255), fc.boolean()).map(([byte, upper]) => {
      const hex = byte.toString(16).padStart(2, '0');
      return `%${upper ? hex.toUpperCase() : hex}`;
    }),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom('%2e', '%2E%2e', '%2f', '%5C', '%252f', '%3b', '%c3%a9', '%C3%A9', 'a%7cb', 'a|b'),
  },
  { weight: 2, arbitrary: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)) },
  { weight: 1, arbitrary: fc.constantFrom("a!$&'()+,=:@[]~", "a%21$&'()%2b%2C=%3a%40[%5D~", 'long'.repeat(60)) },
);
const path = fc
  .array(
    fc.array(piece, { maxLength: 3 }).map((pieces) => pieces.join('')),
    { maxLength: 5 },
  )
  .map((segments) => `/${segments.join('/')}`)
  .filter((text) => !text.includes('#') && !text.includes('?'));
const query = fc.constantFrom('', '', '?', '?x=/a/b', '?../%2f;%', '?%00');
const host = fc.constantFrom(
  ...['localhost', 'api.acme.com', 'API.Acme.com:8080', 'api.acme.com.', 'x.api.acme.com', 'y.acme.com.:1', 'acme.com'],
  ...[
    '.acme.com',
    'xacme.com',
    '[::1]',
    '[::1]:80',
    'api.acme.com:',
    'api-acme.com',
    'api.acme.com..',
    'a%41.acme.com',
  ],
);
const method = fc.constantFrom('GET', 'GET', 'HEAD', 'POST', 'DELETE');

/** The engine's choice for what Envoy made of the request. */
function engineRule(verb: string, authority: string, canonical: string): string | undefined {
  const segments = canonical.slice(1).split('/');
  const bare = authority.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '');
  return rules.find(
    (rule) =>
      pathMatches(rule.path, segments) &&
      (!rule.host || hostMatches(rule.host, bare)) &&
      (!rule.methods || rule.methods.includes(verb)),
  )?.name;
}

function header(answer: RawAnswer, name: string): string | undefined {
  return answer.headers.find(([key]) => key === name)?.[1];
}

/** HEAD answers have no body: the application's own record is read instead. */
async function outcome(verb: string, target: string, authority: string) {
  const before = rig.received.length;
  const checksBefore = rig.checks.length;
  const answer = await sendRaw(
    rig.port,
    Buffer.from(
      `${verb} ${target} HTTP/1.1\r\nhost: ${authority}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`,
      'latin1',
    ),
  );
  const application = header(answer, 'x-application');
  const seen = application === undefined ? rig.checks[checksBefore] : rig.received[before];
  return { answer, application, url: seen?.url };
}

describe('routes', () => {
  test('whatever passes has one reading, and Envoy takes the rule that the engine takes', {
    timeout: 300_000,
  }, async () => {
    const counts = { passed: 0, denied: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(method, path, query, host, async (verb, rawPath, rawQuery, authority) => {
        const { answer, application, url } = await outcome(verb, rawPath + rawQuery, authority);
        if (answer.status === 400) {
          counts.refused++;
          expect(url, 'a refused request reaches nobody').toBeUndefined();
          return;
        }
        const normalised = canonicalPath((url ?? '').split('?')[0] ?? '');
        expect(normalised, `Envoy let ${url} pass`).toBeDefined();
        const expected = engineRule(verb, authority, normalised ?? '');
        if (expected === undefined) {
          counts.denied++;
          expect([answer.status, header(answer, 'vary')]).toEqual([403, 'no-rule']);
        } else {
          counts.passed++;
          expect([answer.status, application]).toEqual([200, expected]);
        }
      }),
      { numRuns: 3_000, seed: 20_260_301 },
    );
    for (const count of Object.values(counts)) expect(count, JSON.stringify(counts)).toBeGreaterThan(100);
  });

  test('a character that needs no escape is the same escaped: applications route on the decoded path', async () => {
    for (const path of [
      "/a!$&'()+,=:@[]~/x",
      "/a%21$&'()%2b%2C=%3a%40[%5D~/x",
      '/a%21%24%26%27%28%29%2B%2c%3D%3A%40%5b%5d~/x',
    ]) {
      const { application } = await outcome('GET', path, 'localhost');
      expect(application, path).toBe('marks');
    }
  });

  test('no path that is already in the one form is refused', { timeout: 120_000 }, async () => {
    const plain = path.filter((text) => {
      const canonical = canonicalPath(text);
      return canonical !== undefined && /^[!-~]*$/.test(text) && !text.includes('%00');
    });
    await fc.assert(
      fc.asyncProperty(plain, query, async (rawPath, rawQuery) => {
        const { answer, url } = await outcome('POST', rawPath + rawQuery, 'localhost');
        expect(answer.status).not.toBe(400);
        expect(canonicalPath((url ?? '').split('?')[0] ?? '')).toBe(canonicalPath(rawPath));
      }),
      { numRuns: 600, seed: 7 },
    );
  });

  test.each([
    '/a/%2fb',
    '/a/%5cb',
    '/a/b;x',
    '/a/%3bx',
    '/a/%252e%252e/b',
    '/a/%3f',
    '/a/%23',
    '/a/%',
    '/a/%7f',
    '/a/%u0041',
    '/a/%01',
  ])('%s is refused with a problem that no cache keeps', async (target) => {
    const answer = await get(rig.port, target);
    expect(answer.status).toBe(400);
    expect(header(answer, 'content-type')).toBe('application/problem+json');
    expect(header(answer, 'cache-control')).toBe('no-store');
    expect(JSON.parse(answer.body)).toEqual({
      type: 'urn:ory-envoy:reason:path_ambiguous',
      title: 'The path is ambiguous',
      status: 400,
      reason: 'path_ambiguous',
      request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  test.each(['u@api.acme.com', 'api.acme.com:x', 'api.acme.com:1:2', 'a,api.acme.com', ''])(
    'the host "%s" is refused as ambiguous',
    async (authority) => {
      const answer = await get(rig.port, '/a/b', [], authority);
      expect([answer.status, JSON.parse(answer.body).reason]).toEqual([400, 'path_ambiguous']);
    },
  );

  test('two different Host headers are refused', async () => {
    const answer = await get(rig.port, '/a/b', ['host: api.acme.com']);
    expect(answer.status).toBe(400);
  });

  test.each([
    ['/a/../a/b', '/a/b'],
    ['//a///b', '/a/b'],
    ['/a/%2e%2e/%61/b', '/a/b'],
    ['/a\\b', '/a/b'],
  ])('%s is normalised before it is matched and passed on', async (target, normalised) => {
    const seen = echoed(await get(rig.port, target));
    expect(seen.url).toBe(normalised);
  });

  test('query and host reach the application as the client sent them', async () => {
    const seen = echoed(await get(rig.port, '/a/b?x=../%2f;%3B&y=//', [], 'API.acme.com.:8080'));
    expect(seen.url).toBe('/a/b?x=../%2f;%3B&y=//');
    expect(headerOf(seen, 'host')).toEqual(['API.acme.com.:8080']);
  });

  test('the host of an absolute request target counts, not the Host header', async () => {
    const answer = await get(rig.port, 'http://api.acme.com/a/b', [], 'localhost');
    expect(header(answer, 'x-application')).toBe('host-exact');
    expect(headerOf(echoed(answer), 'host')).toEqual(['api.acme.com']);
  });
});
