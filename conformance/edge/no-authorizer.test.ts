// Envoy alone: no authorizer runs, and every verdict on a token is Envoy's own. On the development Ory and a real Hydra.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEdgeJudge } from '../../src/cli/cases/edge.ts';
import { parseCases } from '../../src/cli/cases/load.ts';
import { type CaseResult, resultOf } from '../../src/cli/cases/report.ts';
import type { Config } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/load.ts';
import { findEnvoy } from '../../src/edge/find.ts';
import { type RunningEnvoy, startEnvoy } from '../../src/edge/run.ts';
import { generateEnvoy } from '../../src/generate/envoy/emit.ts';
import type { Ory } from '../ory/ory.ts';
import { ORYS } from '../ory/orys.ts';
import { until } from '../until.ts';
import { type App, startApp } from './rig/app.ts';
import { type Lines, send } from './rig/client.ts';

const AUDIENCE = 'https://api.test';
const PAGE = 'https://page.test';

describe.each(ORYS)('with $name', ({ start }) => {
  let ory: Ory;
  let app: App;
  let envoy: RunningEnvoy;
  let url = '';
  const accessLog: Record<string, unknown>[] = [];
  let config: Config;

  beforeAll(async () => {
    ory = await start();
    app = await startApp('app');
    config = parseConfig(
      `ory: { hydra: { public_url: "${ory.hydra.publicUrl}", issuer: "${ory.hydra.issuer}" } }
tokens: { audiences: ["${AUDIENCE}"] }
identity_headers: { X-User-Id: [token.sub], X-Client: [token.client_id] }
edge: { listen: "127.0.0.1:0", admin: "127.0.0.1:0", public_url: "https://edge.test", upstream: "${app.url}" }
rules:
  - { name: public, match: { path: "/public/**" }, allow: anyone }
  - { name: read, match: { path: "/read/**" }, require: { token: { scopes: [read] } } }
  - { name: other, match: { path: "/other/**" }, require: { token: { audiences: ["https://other.test"] } } }
  - { name: tenant, match: { path: "/tenant/**" }, require: { token: { claims: { ext.tenant: acme } } } }
  - name: either
    match: { path: "/either/**" }
    require: { any_of: [{ token: { scopes: [read] } }, { token: { scopes: [write] } }] }
  - { name: page, match: { path: "/page/**" }, require: { token: {} }, cors: { origins: ["${PAGE}"] } }
`,
      'no-authorizer.yaml',
      { env: {} },
    );
    const { path } = await findEnvoy();
    envoy = await startEnvoy({
      path,
      config: generateEnvoy(config, { part: 'bootstrap', authorizer: false }),
      onAccessLog: (line) => accessLog.push(JSON.parse(line)),
    });
    url = `http://127.0.0.1:${envoy.listenPort}`;
    const token = await ory.accessToken({ audience: [AUDIENCE], scope: 'read' });
    await until('Envoy has the keys', async () => (await bearer('/read/x', token)).status === 200, 10_000);
  });
  afterAll(async () => {
    await envoy?.stop();
    await app?.close();
    await ory?.close();
  });

  const bearer = (path: string, token: string, more: Lines = []) =>
    send(url, 'HTTP/1.1', { path, headers: [['Authorization', `Bearer ${token}`], ...more] });

  const now = () => Math.floor(Date.now() / 1_000);
  const claims = (change: Record<string, unknown> = {}) => ({
    iss: ory.hydra.issuer,
    sub: 'service',
    client_id: 'client',
    aud: [AUDIENCE],
    exp: now() + 300,
    scp: ['read'],
    ext: {},
    ...change,
  });

  test('a token of Hydra passes with its identity, and a forged identity does not', async () => {
    const token = await ory.accessToken({ audience: [AUDIENCE], scope: 'read' });
    const answer = await bearer('/read/x', token, [
      ['X-User-Id', 'forged'],
      ['X_Client', 'forged'],
    ]);
    const [, payload = ''] = token.split('.');
    const { sub, client_id } = JSON.parse(Buffer.from(payload, 'base64url').toString());
    expect(answer.status).toBe(200);
    expect(answer.seen().header('x-user-id')).toEqual([sub]);
    expect(answer.seen().header('x-client')).toEqual([client_id]);
    expect(JSON.stringify(answer.seen())).not.toContain('forged');
  });

  test('scope, audience and claim are those of the rule', async () => {
    const write = await ory.accessToken({ audience: [AUDIENCE], scope: 'write' });
    const other = await ory.accessToken({ audience: ['https://other.test'], scope: 'read' });
    const acme = await ory.sign(claims({ ext: { tenant: 'acme' } }));
    const evil = await ory.sign(claims({ ext: { tenant: 'evil' } }));
    const statuses = async (token: string) =>
      await Promise.all(
        ['/read/x', '/other/x', '/tenant/x', '/either/x'].map(async (path) => (await bearer(path, token)).status),
      );
    expect(await statuses(write)).toEqual([403, 403, 403, 200]);
    expect(await statuses(other)).toEqual([403, 200, 403, 403]);
    expect(await statuses(acme)).toEqual([200, 403, 200, 200]);
    expect(await statuses(evil)).toEqual([200, 403, 403, 200]);
  });

  test.each<[string, Record<string, unknown>, number]>([
    ['an expired one', { exp: 1 }, 401],
    ['one without an end', { exp: undefined }, 401],
    ['one of another issuer', { iss: 'https://evil.test/' }, 401],
    ['one for nobody', { aud: [] }, 403],
    ['one for a near spelling of the audience', { aud: 'api.test' }, 403],
    ['an ID token', { client_id: undefined }, 403],
    ['a logout token', { events: {} }, 403],
    ['one whose subject is no plain text', { sub: 'jürgen' }, 403],
  ])('refused: %s', async (_, change, status) => {
    expect((await bearer('/read/x', await ory.sign(claims(change)))).status).toBe(status);
  });

  test.each<[string, Record<string, unknown>]>([
    ['typ logout+jwt', { typ: 'logout+jwt' }],
    ['a jku', { jku: 'http://127.0.0.1:1/' }],
  ])('refused: a header with %s', async (_, header) => {
    expect((await bearer('/read/x', await ory.sign(claims(), header))).status).toBe(403);
  });

  test('without a token it is 401, by every way but the header it is none', async () => {
    const token = await ory.sign(claims());
    expect((await send(url, 'HTTP/1.1', { path: '/read/x' })).status).toBe(401);
    expect((await send(url, 'HTTP/1.1', { path: `/read/x?access_token=${token}` })).status).toBe(401);
    expect((await bearer('/read/x', `${token}, Bearer ${token}`)).status).toBe(401);
    expect((await bearer('/read/x', await ory.accessToken({ strategy: 'opaque' }))).status).toBe(401);
  });

  test('the challenge names the edge and nothing of the request', async () => {
    const challenge = async (headers: Lines) =>
      (
        await send(url, 'HTTP/1.1', {
          path: '/read/x?a=",resource_metadata="https://evil.test',
          host: 'evil.test',
          headers,
        })
      ).header('www-authenticate');
    const edge = 'Bearer realm="https://edge.test"';
    expect(await challenge([])).toEqual([edge]);
    expect(await challenge([['Authorization', 'Bearer x']])).toEqual([`${edge}, error="invalid_token"`]);
    expect(await challenge([['Origin', PAGE]])).toEqual([edge]);
    expect((await bearer('/read/x', await ory.sign(claims({ scp: [] })))).header('www-authenticate')).toEqual([]);
  });

  test('whatever matches no rule is refused, an ambiguous path as well', async () => {
    const token = await ory.sign(claims());
    expect((await bearer('/nowhere', token)).json()['reason']).toBe('no_rule');
    expect((await bearer('/public/%2e%2e%2fread', token)).json()['reason']).toBe('path_ambiguous');
    expect((await send(url, 'HTTP/1.1', { path: '/public/x', headers: [['X-User-Id', 'forged']] })).status).toBe(200);
  });

  test('the access log says the rule and why a request passed, and for a refusal Envoy’s own words', async () => {
    await bearer('/either/log', await ory.sign(claims()));
    await bearer('/either/log', await ory.sign(claims({ scp: [] })));
    await send(url, 'HTTP/1.1', { path: '/public/log' });
    const lines = () => accessLog.filter(({ path }) => String(path).endsWith('/log'));
    await until('the lines are there', async () => lines().length === 3);
    expect(lines().map(({ rule, reason, details }) => [rule, reason, details])).toEqual([
      ['either', 'token', 'via_upstream'],
      ['either', '', 'rbac_access_denied_matched_policy[none]'],
      ['public', 'anonymous', 'via_upstream'],
    ]);
  });

  test('ory-envoy test --edge tells its refusals from what the application says', async () => {
    const READ = await ory.accessToken({ audience: [AUDIENCE], scope: 'read' });
    const WRITE = await ory.accessToken({ audience: [AUDIENCE], scope: 'write' });
    const text = readFileSync(new URL('./cases/no-authorizer.yaml', import.meta.url), 'utf8');
    const cases = parseCases(text, 'no-authorizer.yaml', config, { READ, WRITE, LARGE: 'x'.repeat(62_000) });
    const judge = await createEdgeJudge(config, url, Date.now());
    const results: CaseResult[] = [];
    for (const one of cases) results.push(resultOf(one, await judge.judge(one)));
    await judge.close();
    expect(results.filter(({ ok }) => !ok)).toEqual([]);
    expect(results.length).toBe(cases.length);
  });

  test('a page asks before its request and may read a refusal; anything but a preflight is judged', async () => {
    const preflight: Lines = [
      ['Origin', PAGE],
      ['Access-Control-Request-Method', 'POST'],
    ];
    const ask = (headers: Lines) => send(url, 'HTTP/1.1', { path: '/page/x', method: 'OPTIONS', headers });
    expect((await ask(preflight)).status).toBe(200);
    expect((await ask([['Origin', PAGE]])).status).toBe(401);
    expect((await ask([['Origin', 'https://evil.test'], ...preflight.slice(1)])).status).toBe(401);
    expect((await ask([...preflight, ['Authorization', 'Bearer x']])).status).toBe(401);
    expect((await ask([...preflight, ['Cookie', 'a=b']])).status).toBe(401);
    const refused = await send(url, 'HTTP/1.1', { path: '/page/x', headers: [['Origin', PAGE]] });
    expect(refused.header('access-control-allow-origin')).toEqual([PAGE]);
    expect(refused.header('cache-control')).toEqual(['no-store']);
    const evil = await send(url, 'HTTP/1.1', { path: '/page/x', headers: [['Origin', 'https://evil.test']] });
    expect(evil.header('access-control-allow-origin')).toEqual([]);
  });
});
