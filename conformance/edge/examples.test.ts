// The examples do what they say: each policy as it stands, in a real Envoy with the real authorizer, its addresses alone
// replaced by those of a development Ory and of applications of this suite.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp2 } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { findEnvoy } from '../../src/edge/find.ts';
import { startEnvoy } from '../../src/edge/run.ts';
import { startDevelopmentOry } from '../ory/dev.ts';
import type { Ory } from '../ory/ory.ts';
import { until } from '../until.ts';
import { type App, startApp } from './rig/app.ts';
import { type Answer, type Lines, send } from './rig/client.ts';
import { counter } from './rig/counter.ts';
import { type Edge, startEdge } from './rig/edge.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));
let ory: Ory;
let session: Lines;
let token: (audience: string) => Promise<Lines>;
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  // The rules ask for the second factor here, not Kratos.
  ory = await startDevelopmentOry({ requiredAal: 'aal1' });
  session = [['X-Session-Token', (await ory.login(await ory.createPerson())).token]];
  token = async (audience) => [['Authorization', `Bearer ${await ory.accessToken({ audience: [audience] })}`]];
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(() => ory?.close());

interface Example {
  readonly ory: { readonly hydra?: { readonly admin_url?: string } };
  readonly edge: {
    readonly upstream?: string;
    readonly upstreams?: Record<string, string>;
    readonly ory_path?: string;
  };
  readonly [key: string]: unknown;
}

/** The edge of an example, and how to ask it. */
async function run(name: string) {
  const example = parse(readFileSync(join(EXAMPLES, name), 'utf8')) as Example;
  const upstreams: Record<string, string> = {};
  for (const [upstream, url] of Object.entries(example.edge.upstreams ?? { app: example.edge.upstream ?? '' }))
    upstreams[upstream] = url.startsWith('h2c:') ? await http2App(upstream) : await http1App(upstream);
  const { ory_path: oryPath } = example.edge;
  const edge: Edge = await startEdge({
    ...example,
    ory: { url: ory.hydra.issuer, ...(example.ory.hydra?.admin_url && { hydra: { admin_url: ory.hydra.adminUrl } }) },
    edge: { upstreams, ...(oryPath === undefined ? {} : { ory_path: oryPath }) },
  });
  closing.push(() => edge.close());
  const ask = (method: string, path: string, { host = 'acme.com', headers = [] as Lines } = {}) =>
    send(edge.url, 'HTTP/1.1', { method, path, host, headers });
  return Object.assign(ask, { checks: () => counter(edge.envoy, 'cluster.authorizer.upstream_rq_total') });
}

async function http1App(name: string): Promise<string> {
  const app: App = await startApp(name);
  closing.push(() => app.close());
  return app.url;
}

async function http2App(name: string): Promise<string> {
  const server = createHttp2((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ app: name, method: request.method, url: request.url, headers: [] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => void server.close());
  return `h2c://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const outcome = (answer: Answer) => (answer.status === 200 ? answer.seen().app : answer.json()['reason']);
const PAGE = 'https://app.acme.com';

describe('examples/', () => {
  it('single-page-application.yaml', async () => {
    const ask = await run('single-page-application.yaml');
    const api = { host: 'api.acme.com' };
    expect(outcome(await ask('GET', '/deep/link', { host: 'app.acme.com' }))).toBe('page');
    expect(outcome(await ask('POST', '/deep/link', { host: 'app.acme.com' }))).toBe('no_rule');
    const refused = await ask('GET', '/v1/me', { ...api, headers: [['Origin', PAGE]] });
    expect([outcome(refused), refused.header('access-control-allow-origin')]).toEqual(['credential_missing', [PAGE]]);
    const headers: Lines = [
      ['Origin', PAGE],
      ['Access-Control-Request-Method', 'PUT'],
    ];
    expect(outcome(await ask('OPTIONS', '/v1/me', { ...api, headers }))).toBe('api');
    expect(outcome(await ask('GET', '/v1/me', { ...api, headers: session }))).toBe('api');
  });

  it('mobile-tokens.yaml', async () => {
    const ask = await run('mobile-tokens.yaml');
    expect(outcome(await ask('GET', '/healthz'))).toBe('app');
    expect(outcome(await ask('GET', '/mobile/x', { headers: session }))).toBe('app');
    const bearer: Lines = [['Authorization', `Bearer ${session[0]?.[1]}`]];
    expect(outcome(await ask('GET', '/mobile/x', { headers: bearer }))).toBe('app');
    expect(outcome(await ask('GET', '/partners/x', { headers: bearer }))).toBe('credential_missing');
    const partner = await ask('GET', '/partners/x', { headers: await token('https://api.acme.com') });
    expect(outcome(partner)).toBe('app');
    expect(partner.seen().header('x-client-id')).toHaveLength(1);
    expect(outcome(await ask('GET', '/partners/x', { headers: await token('https://acme.com/api') }))).toBe(
      'token_audience_mismatch',
    );
  });

  it('opaque-tokens.yaml', async () => {
    const ask = await run('opaque-tokens.yaml');
    const bearer = async (strategy: 'jwt' | 'opaque', scope: string): Promise<Lines> => [
      ['Authorization', `Bearer ${await ory.accessToken({ audience: ['https://api.acme.com'], strategy, scope })}`],
    ];
    expect(outcome(await ask('GET', '/healthz'))).toBe('app');
    expect(outcome(await ask('GET', '/orders/1'))).toBe('credential_missing');
    for (const strategy of ['jwt', 'opaque'] as const) {
      const read = await bearer(strategy, 'orders.read');
      const answer = await ask('GET', '/orders/1', { headers: read });
      expect([outcome(answer), answer.seen().header('x-scopes')]).toEqual(['app', ['["orders.read"]']]);
      const refused = await ask('POST', '/orders', { headers: read });
      expect([outcome(refused), refused.header('www-authenticate')[0]]).toEqual([
        'scope_insufficient',
        expect.stringContaining('scope="orders.read orders.write"'),
      ]);
      const both = await bearer(strategy, 'orders.write orders.read');
      expect(outcome(await ask('POST', '/orders', { headers: both }))).toBe('app');
    }
    expect(outcome(await ask('GET', '/orders/1', { headers: [['Authorization', 'Bearer ory_at_x']] }))).toBe(
      'token_inactive',
    );
    expect(outcome(await ask('GET', '/orders/1', { headers: session }))).toBe('credential_missing');
  });

  it('mixed.yaml: what the plan calls native is not asked about', async () => {
    const ask = await run('mixed.yaml');
    const api = { host: 'api.acme.com' };
    const claims = (change: object) => ({
      iss: ory.hydra.issuer,
      sub: 'service',
      client_id: 'client',
      aud: ['https://api.acme.com'],
      exp: Math.floor(Date.now() / 1_000) + 300,
      scp: ['orders:read'],
      ext: { tenant: 'acme' },
      ...change,
    });
    const bearer = async (change: object = {}): Promise<Lines> => [
      ['Authorization', `Bearer ${await ory.sign(claims(change))}`],
    ];
    /** How a request comes out, and whether the authorizer was asked. */
    const of = async (method: string, path: string, more: { host?: string; headers?: Lines } = {}) => {
      const before = await ask.checks();
      const result = outcome(await ask(method, path, more));
      return `${result}, ${(await ask.checks()) === before ? 'native' : 'asked'}`;
    };
    const good = await bearer();
    await until(
      'Envoy has the keys',
      async () => (await of('GET', '/orders/1', { ...api, headers: good })) === 'app, native',
    );
    expect(await of('GET', '/assets/x.css')).toBe('app, native');
    expect(await of('GET', '/')).toBe('app, native');
    expect(await of('GET', '/', { headers: good })).toBe('app, native');
    expect(await of('GET', '/', { headers: session })).toBe('app, asked');
    expect(await of('GET', '/orders/1', api)).toBe('credential_missing, asked');
    const evil = await bearer({ ext: { tenant: 'evil' } });
    expect(await of('GET', '/orders/1', { ...api, headers: evil })).toBe('claim_mismatch, asked');
    expect(await of('POST', '/orders', { ...api, headers: good })).toBe('scope_insufficient, asked');
    const write = await bearer({ scp: undefined, scope: 'orders:write orders:read' });
    expect(await of('POST', '/orders', { ...api, headers: write })).toBe('app, native');
    const reports = await bearer({ scp: ['reports'] });
    expect(await of('GET', '/reports/1', { headers: reports })).toBe('app, native');
    expect(await of('GET', '/reports/1', { headers: [...reports, ...session] })).toBe('app, asked');
    expect(await of('GET', '/reports/1', { headers: session })).toBe('app, asked');
    expect(await of('GET', '/admin', { headers: session })).toBe('aal_insufficient, asked');
    expect(await of('GET', '/x', { headers: session })).toBe('app, asked');
    expect(await of('GET', '/x', { headers: good })).toBe('session_invalid, asked');
  });

  it('step-up.yaml', async () => {
    const ask = await run('step-up.yaml');
    const person = await ory.createPersonWithTotp();
    const login = await ory.login(person);
    const own: Lines = [['X-Session-Token', login.token]];
    const html: Lines = [['Accept', 'text/html']];
    expect(outcome(await ask('GET', '/x', { headers: own }))).toBe('app');
    for (const path of ['/payments/x', '/account/x', '/reports/x']) {
      expect(outcome(await ask('GET', path, { headers: own }))).toBe('aal_insufficient');
      const { status, ...page } = await ask('GET', `${path}?y`, { headers: [...own, ...html] });
      const to = new URL(page.header('location')[0] ?? '');
      expect([status, to.pathname, to.search]).toEqual([
        302,
        '/.ory/self-service/login/browser',
        expect.stringMatching(/^\?aal=aal2&return_to=.*%3Fy$/),
      ]);
    }
    expect(outcome(await ask('POST', '/account/password', { headers: own }))).toBe('app');
    await ory.stepUp(person, login);
    for (const path of ['/payments/x', '/account/x', '/reports/x'])
      expect(outcome(await ask('GET', path, { headers: own }))).toBe('app');
    expect((await ask('GET', '/payments/x', { headers: own })).seen().header('x-assurance')).toEqual(['aal2']);
    const claims = { iss: ory.hydra.issuer, sub: 's', client_id: 'c', aud: ['https://api.acme.com'] };
    const times = { iat: 1, exp: Math.floor(Date.now() / 1_000) + 600 };
    const bearer = async (more: object): Promise<Lines> => [
      ['Authorization', `Bearer ${await ory.sign({ ...claims, ...times, ...more })}`],
    ];
    const enough = { scp: ['reports.read'], ext: { tenant: 'acme' } };
    expect(outcome(await ask('GET', '/reports/x', { headers: await bearer(enough) }))).toBe('app');
    const scopeless = await ask('GET', '/reports/x', { headers: await bearer({ ...enough, scp: [] }) });
    expect(outcome(scopeless)).toBe('scope_insufficient');
    const foreign = await ask('GET', '/reports/x', { headers: await bearer({ ...enough, ext: { tenant: 'other' } }) });
    expect(outcome(foreign)).toBe('claim_mismatch');
    // Where a rule takes sessions alone, any bearer is a session token.
    expect(outcome(await ask('GET', '/account/x', { headers: await bearer(enough) }))).toBe('session_invalid');
    expect(outcome(await ask('GET', '/payments/x'))).toBe('credential_missing');
  });

  it('several-upstreams.yaml', async () => {
    const ask = await run('several-upstreams.yaml');
    const bearer = await token('https://acme.com/api');
    expect(outcome(await ask('GET', '/assets/x'))).toBe('pages');
    expect(outcome(await ask('GET', '/admin/x', { headers: session }))).toBe('admin');
    expect(outcome(await ask('GET', '/x', { headers: session }))).toBe('pages');
    expect(outcome(await ask('GET', '/api/x', { headers: bearer }))).toBe('rest');
    expect(outcome(await ask('POST', '/acme.orders.v1.Orders/List', { headers: bearer }))).toBe('orders');
    expect(outcome(await ask('POST', '/acme.orders.v1.Orders/List'))).toBe('credential_missing');
    const page = await ask('GET', '/admin/x?y', { headers: [['Accept', 'text/html']] });
    expect(page.header('location')[0]).toMatch(/\/\.ory\/self-service\/login\/browser\?return_to=.*%2Fadmin%2Fx%3Fy$/);
    expect((await ask('GET', '/.ory/sessions/whoami', { headers: session })).status).toBe(200);
  });

  it('existing-envoy/: the parts, laid into an Envoy that one already has', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'ory-envoy-parts-'));
    closing.push(async () => rmSync(dir, { recursive: true, force: true }));
    const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
    const policy = join(dir, 'ory-envoy.yaml');
    const example = parse(readFileSync(join(EXAMPLES, 'existing-envoy/ory-envoy.yaml'), 'utf8')) as Example;
    writeFileSync(policy, stringify({ ...example, edge: { ...example.edge, upstream: await http1App('app') } }));
    for (const part of ['filters', 'routes', 'clusters'])
      execFileSync(process.execPath, [main, 'generate', 'envoy', '-c', policy, '--part', part, '-o', dir]);
    const own = join(EXAMPLES, 'existing-envoy/envoy.yaml');
    const merged = execFileSync(process.execPath, [join(EXAMPLES, 'existing-envoy/lay-in.mjs'), own, dir]).toString();
    expect(merged).toContain('stream_idle_timeout: 60s');
    const envoy = await startEnvoy({
      path: (await findEnvoy()).path,
      config: merged.replace(/port_value: (?:8080|9901)$/gm, 'port_value: 0'),
      concurrency: 1,
    });
    closing.push(() => envoy.stop());
    const ask = (path: string) => send(`http://127.0.0.1:${envoy.listenPort}`, 'HTTP/1.1', { path });
    expect(outcome(await ask('/assets/x'))).toBe('app');
    expect(outcome(await ask('/x'))).toBe('authorizer_unreachable');
    expect(outcome(await ask('/assets/%2e%2e%2fx'))).toBe('path_ambiguous');
  });
});
