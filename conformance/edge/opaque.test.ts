// Opaque access tokens through a real Envoy, issued and introspected by a real Hydra, over HTTP and gRPC.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RawOry, raw, rawOry } from '../../src/check/testing/raw-ory.ts';
import { TRANSPORTS, type Transport } from '../../src/generate/envoy/transport.ts';
import { startDevelopmentOry } from '../ory/dev.ts';
import type { Ory, Person, RealOry, Tokens } from '../ory/ory.ts';
import { ORYS } from '../ory/orys.ts';
import { startRealOry } from '../ory/real.ts';
import { until } from '../until.ts';
import { expectNoCredential } from './rig/canary.ts';
import { type Answer, type Lines, send } from './rig/client.ts';
import { type CountingProxy, startCountingProxy } from './rig/counting-proxy.ts';
import { type Edge, startEdge } from './rig/edge.ts';
import { AUDIENCE, OTHER_AUDIENCE, policy } from './rig/policy.ts';
import { type Edges, startEdges, WAYS } from './rig/transports.ts';

const INTROSPECT = '/admin/oauth2/introspect';

const RULES = [
  { name: 'api', match: { path: '/api/**' }, require: { token: {} } },
  { name: 'other', match: { path: '/other/**' }, require: { token: { audiences: [OTHER_AUDIENCE] } } },
  { name: 'write', match: { path: '/write/**' }, require: { token: { scopes: ['read', 'write'] } } },
  { name: 'tenant', match: { path: '/tenant/**' }, require: { token: { claims: { 'ext.tenant': 'acme' } } } },
  { name: 'either', match: { path: '/either/**' }, require: { any_of: [{ session: {} }, { token: {} }] } },
  { name: 'app', match: { path: '/app/**' }, require: { session: {} } },
  { name: 'home', match: { path: '/' }, allow: 'anyone', identify: true },
];
const HEADERS = {
  'X-User-Id': ['session.identity.id', 'token.sub'],
  'X-User-Email': ['token.ext.email'],
  'X-Client-Id': ['token.client_id'],
  'X-Scopes': ['token.scopes'],
};

function opaquePolicy(ory: Ory, hydraAdminUrl: string, cache: object) {
  return { ...policy(ory, { hydraAdminUrl, cache }), rules: RULES, identity_headers: HEADERS };
}

const bearerTo = (edge: Edge, token: string, path = '/api/x', protocol: 'HTTP/1.1' | 'HTTP/2' = 'HTTP/1.1') =>
  send(edge.url, protocol, { path, headers: [['Authorization', `Bearer ${token}`]] });

const challenge = (answer: Answer) => answer.header('www-authenticate');
const reason = (answer: Answer) => (answer.status === 200 ? 'allowed' : answer.json()['reason']);
const error = (name: string, more = '') => [
  expect.stringMatching(
    new RegExp(`^Bearer realm="http[^"]+", error="${name}", error_description="[A-Z][\\w ]+"${more}$`),
  ),
];

describe.each(ORYS)('with $name', ({ start }) => {
  let ory: Ory;
  let person: Person;
  let proxies: Record<Transport, CountingProxy>;
  let edges: Edges;
  let edge: Edge;
  let hydra: CountingProxy;
  const used: string[] = [];

  beforeAll(async () => {
    ory = await start();
    person = await ory.createPerson();
    proxies = {
      http: await startCountingProxy(ory.hydra.adminUrl),
      grpc: await startCountingProxy(ory.hydra.adminUrl),
    };
    const cache = { ttl: '60s', negative_ttl: '60s' };
    edges = await startEdges((transport) => opaquePolicy(ory, proxies[transport].url, cache));
  });

  afterAll(async () => {
    await edges?.close();
    for (const transport of TRANSPORTS) await proxies?.[transport].close();
    await ory?.close();
    for (const transport of TRANSPORTS) {
      expectNoCredential(edges[transport], used);
      // That jwt_authn can make nothing of an opaque token is no surprise.
      expect(edges[transport].authorizer.log()).not.toContain('Envoy refused a token that is good');
    }
  });

  const issue = async (request: Parameters<Ory['accessToken']>[0] = {}) => {
    const token = await ory.accessToken({ audience: [AUDIENCE], strategy: 'opaque', ...request });
    expect(token).toMatch(/^ory_at_/);
    used.push(token);
    return token;
  };

  /** Of a person, with a refresh token. */
  const grant = async () => {
    const client = await ory.createClient({ audience: [AUDIENCE], strategy: 'opaque' });
    const tokens: Tokens = await ory.authorizationCode(person, client, { audience: [AUDIENCE] });
    used.push(tokens.accessToken, tokens.refreshToken ?? '');
    return { client, ...tokens, refreshToken: tokens.refreshToken ?? '' };
  };

  describe.each(WAYS)('over $protocol, checks over $transport', ({ protocol, transport }) => {
    beforeAll(() => {
      edge = edges[transport];
      hydra = proxies[transport];
    });
    const bearer = (token: string, path?: string) => bearerTo(edge, token, path, protocol);

    /** What came of it, and how often Hydra was asked. */
    async function judged(token: string, path?: string) {
      hydra.reset();
      const answer = await bearer(token, path);
      return { answer, reason: reason(answer), asked: hydra.count(INTROSPECT) };
    }

    it('lets an active token in, says whose it is, and asks once: with the token, alone', async () => {
      const { client, accessToken } = await grant();
      const { answer, asked } = await judged(accessToken);
      const header = (name: string) => answer.seen().header(name);
      expect([answer.status, asked]).toEqual([200, 1]);
      expect(hydra.last(INTROSPECT)?.body).toBe(`token=${accessToken}`);
      expect(hydra.last(INTROSPECT)?.headers.authorization).toBeUndefined();
      expect([header('x-user-id'), header('x-user-email'), header('x-client-id')]).toEqual([
        [person.id],
        [person.email],
        [client.id],
      ]);
      expect(header('x-scopes')).toEqual([expect.stringContaining('"email"')]);
      expect(header('authorization')).toEqual([`Bearer ${accessToken}`]);
      for (const path of ['/api/x', '/either/x', '/']) {
        const again = await judged(accessToken, path);
        expect([again.answer.seen().header('x-user-id'), again.asked], path).toEqual([[person.id], 0]);
      }
    });

    it('a JWT on the same rule is verified by its key, and Hydra is not asked', async () => {
      const jwt = await ory.accessToken({ audience: [AUDIENCE] });
      expect(await judged(jwt)).toMatchObject({ reason: 'allowed', asked: 0 });
    });

    it('judges the audience by the rule', async () => {
      const other = await issue({ audience: [OTHER_AUDIENCE] });
      expect((await bearer(other, '/other/x')).status).toBe(200);
      const refused = await bearer(other);
      expect([refused.status, reason(refused), challenge(refused)]).toEqual([
        401,
        'token_audience_mismatch',
        error('invalid_token'),
      ]);
      expect(reason(await bearer(await issue({ audience: [] })))).toBe('token_audience_mismatch');
      expect((await bearer(await issue({ audience: [AUDIENCE, OTHER_AUDIENCE] }), '/other/x')).status).toBe(200);
    });

    it('wants every scope, and says which', async () => {
      expect((await bearer(await issue({ scope: 'write read' }), '/write/x')).status).toBe(200);
      for (const scope of ['read', 'readwrite', 'read write:x']) {
        const refused = await bearer(await issue({ scope }), '/write/x');
        expect([refused.status, reason(refused)], scope).toEqual([403, 'scope_insufficient']);
        expect(challenge(refused)).toEqual(error('insufficient_scope', ', scope="read write"'));
      }
    });

    it('a claim that is missing is 403, without a scope that would help', async () => {
      const refused = await bearer(await issue(), '/tenant/x');
      expect([refused.status, reason(refused), challenge(refused)]).toEqual([
        403,
        'claim_mismatch',
        error('insufficient_scope'),
      ]);
    });

    it('refuses a refresh token, with its mark and without, and remembers that', async () => {
      const { refreshToken } = await grant();
      const marked = await judged(refreshToken);
      expect([marked.reason, marked.asked, challenge(marked.answer)]).toEqual([
        'token_kind_wrong',
        0,
        error('invalid_token'),
      ]);
      // Hydra takes it without its mark, and calls it active.
      const bare = refreshToken.slice('ory_rt_'.length);
      expect(await judged(bare)).toMatchObject({ reason: 'token_kind_wrong', asked: 1 });
      expect(await judged(bare)).toMatchObject({ reason: 'token_kind_wrong', asked: 0 });
      for (const mark of ['ory_at_', 'ory_ac_']) expect((await bearer(`${mark}${bare}`)).status, mark).toBe(401);
    });

    it('refuses a revoked token, and one of garbage, and asks once about each in negative_ttl', async () => {
      const { client, accessToken } = await grant();
      expect(await ory.revokeToken(client, accessToken)).toBe(200);
      for (const token of [accessToken, `ory_at_garbage${protocol.length}`, `garbage${protocol.length}.x`]) {
        const first = await judged(token);
        expect([first.answer.status, first.reason, first.asked]).toEqual([401, 'token_inactive', 1]);
        expect(challenge(first.answer)).toEqual(error('invalid_token'));
        expect(await judged(token)).toMatchObject({ reason: 'token_inactive', asked: 0 });
      }
    });

    it('refuses a token from its end on, though it is remembered', async () => {
      const brief = await issue({ lifespanSeconds: 2 });
      expect((await bearer(brief)).status).toBe(200);
      await until('the token has ended', async () => (await bearer(brief)).status === 401, 5_000);
      expect(['token_inactive', 'token_expired']).toContain(reason(await bearer(brief)));
    });

    it.each([
      ['a JWE', 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..a.b.c', 'token_kind_wrong'],
      ['four parts', 'a.b.c.d', 'token_kind_wrong'],
      ['what only looks like a JWT', 'a.b.c', 'token_malformed'],
      ['an API key', 'ory_pat_of-somebody', 'token_kind_wrong'],
      ['an authorization code', 'ory_ac_x.y', 'token_kind_wrong'],
      ['a session token', 'ory_st_x', 'credential_missing'],
      ['more than 4 KiB', 'x'.repeat(4_097), 'token_malformed'],
      ['characters that no token has', 'a"b', 'credential_malformed'],
    ])('sends Hydra nothing of %s', async (_, token, expected) => {
      const { answer, asked } = await judged(token);
      expect([answer.status, reason(answer), asked]).toEqual([401, expected, 0]);
      expect(challenge(answer)).toEqual(
        expected === 'credential_missing' ? [expect.stringMatching(/^Bearer realm="[^"]+"$/)] : error('invalid_token'),
      );
    });

    it('asks for one token, named once', async () => {
      const token = await issue();
      hydra.reset();
      const lines: Lines = [
        ['Authorization', `Bearer ${token}`],
        ['Authorization', 'Bearer other'],
      ];
      const answer = await send(edge.url, protocol, { path: '/api/x', headers: lines });
      expect([answer.status, reason(answer), challenge(answer)]).toEqual([
        400,
        'credential_ambiguous',
        error('invalid_request'),
      ]);
      expect(hydra.count(INTROSPECT)).toBe(0);
      const session = await send(edge.url, protocol, { path: '/app/x', headers: lines });
      expect([session.status, challenge(session)]).toEqual([400, []]);
    });

    it('where a session does as well, either one is enough, and a session is never introspected', async () => {
      const session = await ory.login(await ory.createPerson());
      expect(await judged(session.token, '/either/x')).toMatchObject({ reason: 'allowed', asked: 0 });
      expect(await judged(await issue(), '/either/x')).toMatchObject({ reason: 'allowed', asked: 1 });
      expect(await judged(await issue(), '/app/x')).toMatchObject({ reason: 'session_invalid', asked: 0 });
    });

    it('any number of first requests with one token ask once', async () => {
      const token = await issue();
      hydra.reset();
      const answers = await Promise.all(Array.from({ length: 50 }, () => bearer(token)));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      expect(hydra.count(INTROSPECT)).toBe(1);
    });
  });
});

describe.each(TRANSPORTS)('the real Hydra away, checks over %s', (transport) => {
  let ory: RealOry;
  let proxy: CountingProxy;
  let strict: Edge;
  let patient: Edge;

  beforeAll(async () => {
    ory = await startRealOry();
    proxy = await startCountingProxy(ory.hydra.adminUrl);
    const cache = { ttl: '1s', negative_ttl: '0s' };
    strict = await startEdge(opaquePolicy(ory, proxy.url, cache), transport);
    patient = await startEdge(opaquePolicy(ory, proxy.url, { ...cache, stale_if_error: '5m' }), transport);
  });

  afterAll(async () => {
    await strict?.close();
    await patient?.close();
    await proxy?.close();
    await ory?.close();
  });

  const issue = () => ory.accessToken({ audience: [AUDIENCE], strategy: 'opaque' });
  const outage = async (edge: Edge, token: string) => {
    const answer = await bearerTo(edge, token);
    return answer.status === 503 ? answer : undefined;
  };
  function expectOutage(answer: Answer | undefined): void {
    expect([answer?.status, answer?.json()['reason']]).toEqual([503, 'ory_unreachable']);
    expect(answer?.header('retry-after')).toEqual([expect.stringMatching(/^\d+$/)]);
    expect(answer?.header('www-authenticate')).toEqual([]);
  }

  it('a token that is revoked while it is remembered is refused once cache.ttl is over', async () => {
    const client = await ory.createClient({ audience: [AUDIENCE], strategy: 'opaque' });
    const person = await ory.createPerson();
    const { accessToken } = await ory.authorizationCode(person, client, { audience: [AUDIENCE] });
    expect((await bearerTo(strict, accessToken)).status).toBe(200);
    expect(await ory.revokeToken(client, accessToken)).toBe(200);
    await until('it is refused', async () => (await bearerTo(strict, accessToken)).status === 401);
    expect(reason(await bearerTo(strict, accessToken))).toBe('token_inactive');
  });

  it('killed: 503 with Retry-After and never a 401; only stale_if_error lets known tokens go on', async () => {
    const [known, unknown] = [await issue(), await issue()];
    for (const edge of [strict, patient]) expect((await bearerTo(edge, known)).status).toBe(200);
    await ory.processes.hydra.kill();
    try {
      proxy.reset();
      for (const edge of [strict, patient]) expectOutage(await bearerTo(edge, unknown));
      expectOutage(await bearerTo(strict, 'ory_at_garbage'));
      await until('the known token is an outage too', async () => (await outage(strict, known)) !== undefined, 5_000);
      expectOutage(await bearerTo(strict, known));
      proxy.reset();
      await until('Hydra is asked about the known token, in vain', async () => {
        expect((await bearerTo(patient, known)).status).toBe(200);
        return proxy.count(INTROSPECT) > 0;
      });
      expect((await bearerTo(patient, known)).status).toBe(200);
      expect((await send(strict.url, 'HTTP/1.1', { path: '/' })).status).toBe(200);
      expect((await bearerTo(strict, unknown, '/')).seen().header('x-user-id')).toEqual([]);
      expect(reason(await send(strict.url, 'HTTP/1.1', { path: '/api/x' }))).toBe('credential_missing');
    } finally {
      await ory.processes.hydra.start();
    }
    for (const edge of [strict, patient])
      await until('tokens are judged again', async () => (await bearerTo(edge, unknown)).status === 200, 3_000);
  });

  it('hanging: 503 after the timeout, others are answered meanwhile', async () => {
    const unknown = await issue();
    const jwt = await ory.accessToken({ audience: [AUDIENCE] });
    expect((await bearerTo(strict, jwt)).status).toBe(200);
    ory.processes.hydra.pause();
    try {
      const slow = bearerTo(strict, unknown);
      expect((await bearerTo(strict, jwt)).status).toBe(200);
      expectOutage(await slow);
    } finally {
      ory.processes.hydra.resume();
    }
    await until('tokens are judged again', async () => (await bearerTo(strict, unknown)).status === 200, 3_000);
  });
});

describe('a Hydra that answers as it likes', () => {
  let ory: Ory;
  let hydra: RawOry;
  let edges: Edges;
  const now = Math.floor(Date.now() / 1_000);
  const active = () => ({ active: true, token_use: 'access_token', sub: 'u', iss: ory.hydra.issuer, aud: [AUDIENCE] });
  const ANSWERS: Record<string, () => string> = {
    'no-exp': () => raw(200, JSON.stringify(active())),
    refresh: () => raw(200, JSON.stringify({ ...active(), token_use: 'refresh_token' })),
    'no-use': () => raw(200, JSON.stringify({ ...active(), token_use: undefined })),
    'sub-number': () => raw(200, JSON.stringify({ ...active(), sub: 1 })),
    'exp-text': () => raw(200, JSON.stringify({ ...active(), exp: String(now + 600) })),
    expired: () => raw(200, JSON.stringify({ ...active(), exp: now - 1 })),
    'not-yet': () => raw(200, JSON.stringify({ ...active(), nbf: now + 600 })),
    'other-issuer': () => raw(200, JSON.stringify({ ...active(), iss: 'https://evil.test/' })),
    'active-text': () => raw(200, JSON.stringify({ ...active(), active: 'true' })),
    page: () => raw(200, '<html>'),
    error: () => raw(500, JSON.stringify(active())),
    redirect: () => raw(302, JSON.stringify(active()), { location: '/elsewhere' }),
    'not-found': () => raw(404, '404 page not found'),
    busy: () => raw(429, JSON.stringify(active()), { 'retry-after': '7' }),
    closed: () => raw(403, JSON.stringify(active())),
  };

  beforeAll(async () => {
    ory = await startDevelopmentOry();
    hydra = await rawOry((socket) => {
      const token = new URLSearchParams(hydra.bodies.at(-1)).get('token') ?? '';
      socket.write(ANSWERS[token]?.() ?? raw(500, ''));
    });
    edges = await startEdges(() => opaquePolicy(ory, hydra.url, { ttl: '60s' }));
  });
  afterAll(async () => {
    await edges?.close();
    await hydra?.close();
    await ory?.close();
  });

  it.each(
    TRANSPORTS.flatMap((transport) =>
      (
        [
          ['no-exp', 200, 'allowed'],
          ['refresh', 401, 'token_kind_wrong'],
          ['no-use', 401, 'token_kind_wrong'],
          ['sub-number', 401, 'token_malformed'],
          ['exp-text', 401, 'token_malformed'],
          ['expired', 401, 'token_expired'],
          ['not-yet', 401, 'token_not_yet_valid'],
          ['other-issuer', 401, 'token_issuer_mismatch'],
          ['active-text', 503, 'ory_error'],
          ['page', 503, 'ory_error'],
          ['error', 503, 'ory_error'],
          ['redirect', 503, 'ory_error'],
          ['not-found', 503, 'ory_error'],
          ['busy', 503, 'ory_rate_limited'],
          ['closed', 503, 'ory_error'],
        ] as const
      ).map(([token, status, expected]) => ({ transport, token, status, expected })),
    ),
  )('over $transport: $token is $status $expected', async ({ transport, token, status, expected }) => {
    const answer = await bearerTo(edges[transport], token);
    expect([answer.status, reason(answer)]).toEqual([status, expected]);
    expect(challenge(answer)).toEqual(status === 401 ? error('invalid_token') : []);
    expect(answer.header('retry-after')).toEqual(status === 503 ? [token === 'busy' ? '7' : '1'] : []);
  });

  it('says in the log that the key is what is missing', () => {
    for (const transport of TRANSPORTS)
      expect(edges[transport].authorizer.log()).toContain('it asks for an API key (ory.api_key)');
  });
});

describe('the API key', () => {
  const KEY = 'ory_pat_canary-of-the-project';
  const RULE = { rules: RULES, tokens: { audiences: [AUDIENCE], clock_skew: '0s' } };
  let ory: Ory;
  let project: CountingProxy;
  let elsewhere: CountingProxy;
  const edges: Edge[] = [];

  beforeAll(async () => {
    ory = await startDevelopmentOry();
    project = await startCountingProxy(ory.hydra.publicUrl);
    elsewhere = await startCountingProxy(ory.hydra.publicUrl);
  });
  afterAll(async () => {
    for (const edge of edges) await edge.close();
    for (const proxy of [project, elsewhere]) await proxy?.close();
    await ory?.close();
    for (const edge of edges) expectNoCredential(edge, [KEY]);
  });
  const keyed = async (hydra: object) => {
    const edge = await startEdge({ ...RULE, ory: { url: project.url, api_key: KEY, hydra } });
    edges.push(edge);
    return edge;
  };
  const issue = () => ory.accessToken({ audience: [AUDIENCE], strategy: 'opaque' });

  it('is sent with an introspection, and with nothing else', async () => {
    const edge = await keyed({ issuer: ory.hydra.issuer });
    const token = await issue();
    expect((await bearerTo(edge, token)).status).toBe(200);
    expect(project.last(INTROSPECT)).toMatchObject({
      headers: { authorization: `Bearer ${KEY}` },
      body: `token=${token}`,
    });
    const session = (await ory.login(await ory.createPerson())).token;
    expect((await send(edge.url, 'HTTP/1.1', { path: '/app/x', headers: [['X-Session-Token', session]] })).status).toBe(
      200,
    );
    for (const path of ['/sessions/whoami', '/.well-known/jwks.json'])
      expect(JSON.stringify([path, project.last(path)])).toMatch(/^\["[^"]+",\{(?!.*canary)/);
  });

  it('goes to no other host', async () => {
    const edge = await keyed({ issuer: ory.hydra.issuer, admin_url: elsewhere.url });
    project.reset();
    const token = await issue();
    expect((await bearerTo(edge, token)).status).toBe(200);
    expect(elsewhere.last(INTROSPECT)?.body).toBe(`token=${token}`);
    expect(JSON.stringify(elsewhere.last(INTROSPECT)?.headers)).not.toContain('canary');
    expect(project.count(INTROSPECT)).toBe(0);
  });

  it('goes nowhere, nor does a token, where the file does not say who is to be asked', async () => {
    const edge = await keyed({ issuer: ory.hydra.issuer, public_url: elsewhere.url });
    for (const proxy of [project, elsewhere]) proxy.reset();
    const refused = await bearerTo(edge, await issue());
    expect([refused.status, reason(refused)]).toEqual([401, 'token_kind_wrong']);
    for (const proxy of [project, elsewhere]) expect(proxy.count(INTROSPECT)).toBe(0);
  });
});
