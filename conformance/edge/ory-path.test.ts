// Ory's public API on the edge's own origin: what passes, as what, and what never does. A real Envoy, and an Ory that
// records what reaches it.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Lines, type Protocol, send, sendRaw } from './rig/client.ts';
import { type Edge, startEdge } from './rig/edge.ts';

interface Seen {
  readonly url: string;
  readonly header: (name: string) => string[];
  readonly body: string;
}

let cookies: string[] = [];
let reached: Seen[] = [];

async function record(request: IncomingMessage): Promise<Seen> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const raw = request.rawHeaders;
  return {
    url: request.url ?? '',
    header: (name) => raw.filter((_, i) => i % 2 === 1 && raw[i - 1]?.toLowerCase() === name),
    body: Buffer.concat(chunks).toString(),
  };
}

const ory = createServer((request, response) => {
  void record(request).then((seen) => {
    reached.push(seen);
    response.writeHead(200, { 'content-type': 'text/plain', 'set-cookie': cookies });
    response.end('from Ory');
  });
});

let edge: Edge;
let https: Edge;
let oryUrl: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => ory.listen(0, '127.0.0.1', resolve));
  oryUrl = `http://127.0.0.1:${(ory.address() as AddressInfo).port}`;
  process.env['ORY_API_KEY'] = 'ory_pat_of-nobody';
  const file = (publicUrl?: string) => ({
    ory: { url: oryUrl, api_key: 'ory_pat_of-nobody' },
    edge: { ory_path: '/.ory', ...(publicUrl === undefined ? {} : { public_url: publicUrl }) },
  });
  edge = await startEdge(file());
  https = await startEdge(file('https://app.test'));
});

afterAll(async () => {
  delete process.env['ORY_API_KEY'];
  await edge?.close();
  await https?.close();
  ory.close();
  ory.closeAllConnections();
});

beforeEach(() => {
  cookies = [];
  reached = [];
});

describe.each<Protocol>(['HTTP/1.1', 'HTTP/2'])('over %s', (protocol) => {
  const get = (path: string, headers: Lines = []) => send(edge.url, protocol, { path, headers });

  it.each([
    '/self-service/login/browser?return_to=http%3A%2F%2Fa%2F%3Fb',
    '/self-service/logout?token=x',
    '/sessions/whoami',
    '/sessions',
    '/schemas/person',
    '/ui/login?flow=1',
    '/.well-known/ory/webauthn.js',
    '/.well-known/jwks.json',
    '/.well-known/openid-configuration',
    '/oauth2/auth?client_id=a',
    '/oauth2/token',
    '/oauth2/revoke',
    '/oauth2/sessions/logout',
    '/userinfo',
  ])('%s passes without a credential, as Ory has it', async (path) => {
    expect((await get(`/.ory${path}`)).body).toBe('from Ory');
    expect(reached.map(({ url }) => url)).toEqual([path]);
    expect(reached[0]?.header('host')).toEqual([new URL(oryUrl).host]);
    expect(reached[0]?.header('ory-base-url-rewrite')).toEqual([`${edge.url}/.ory`]);
    expect(reached[0]?.header('ory-no-custom-domain-redirect')).toEqual(['true']);
    expect(reached[0]?.header('ory-base-url-rewrite-token')).toEqual(['ory_pat_of-nobody']);
  });

  it.each([
    '/.ory',
    '/.ory/',
    '/.ory/admin',
    '/.ory/admin/identities',
    '/.ory/ADMIN/identities',
    '/.ory/Admin/identities',
    '/.ory/identities',
    '/.ory/clients',
    '/.ory/keys/hydra.openid.id-token',
    '/.ory/oauth2/introspect',
    '/.ory/oauth2/auth/requests/consent/accept',
    '/.ory/oauth2/auth/sessions/login',
    '/.ory/projects',
    '/.ory/health/ready',
    '/.ory/metrics/prometheus',
    '/.ory/self-servicex',
    '/.ory/SELF-SERVICE/login/browser',
  ])('%s never does', async (path) => {
    const answer = await get(path, [['Authorization', 'Bearer ory_pat_x']]);
    expect([answer.status, answer.json()['reason']]).toEqual([403, 'no_rule']);
    expect(reached).toEqual([]);
  });

  it('nothing but the edge says where Ory seems to be', async () => {
    await get('/.ory/sessions/whoami', [
      ['Ory-Base-URL-Rewrite', 'https://evil.test'],
      ['Ory_Base_URL_Rewrite', 'https://evil.test'],
      ['Ory-Base-URL-Rewrite-Token', 'evil'],
      ['ory.base.url.rewrite.token', 'evil'],
      ['Ory-No-Custom-Domain-Redirect', 'evil'],
    ]);
    const names = reached.flatMap((seen) =>
      ['ory_base_url_rewrite', 'ory.base.url.rewrite.token'].flatMap(seen.header),
    );
    expect(names).toEqual([]);
    expect(reached[0]?.header('ory-base-url-rewrite')).toEqual([`${edge.url}/.ory`]);
    expect(reached[0]?.header('ory-base-url-rewrite-token')).toEqual(['ory_pat_of-nobody']);
    expect(reached[0]?.header('ory-no-custom-domain-redirect')).toEqual(['true']);
  });

  it('Ory is told no address of a client but the one that the edge has seen', async () => {
    const names = [
      'X-Real-IP',
      'True-Client-IP',
      'CF-Connecting-IP',
      'X-Client-IP',
      'X-Cluster-Client-IP',
      'Fastly-Client-IP',
    ];
    await get(
      '/.ory/sessions/whoami',
      names.map((name) => [name, '8.8.8.8'] as const),
    );
    expect(names.flatMap((name) => reached[0]?.header(name.toLowerCase()) ?? ['not reached'])).toEqual([]);
  });

  it('TRACE, which would give back what the edge has added, does not pass', async () => {
    const answer = await send(edge.url, protocol, { method: 'TRACE', path: '/.ory/sessions/whoami' });
    expect([answer.status, reached]).toEqual([403, []]);
  });

  it('the application never gets the control headers, and its rules stand', async () => {
    const answer = await get('/app');
    expect([answer.status, answer.json()['reason']]).toEqual([401, 'credential_missing']);
    expect((await get('/.oryx/self-service')).json()['reason']).toBe('credential_missing');
    expect(reached.map(({ url }) => url)).toEqual([]);
  });

  it('Ory’s cookies become the origin’s own, each still one cookie', async () => {
    cookies = [
      'ory_session_acme=MTY; Path=/; Domain=acme.projects.oryapis.com; Max-Age=86400; HttpOnly; Secure; SameSite=None',
      'csrf_token_1=a=b"; path=/; domain=.oryapis.com; Expires=Wed, 21 Oct 2026 07:28:00 GMT; samesite=lax',
      'domain=1; Path=/',
      'plain=1',
    ];
    expect((await get('/.ory/self-service/login/browser')).header('set-cookie')).toEqual([
      'ory_session_acme=MTY; Path=/; Max-Age=86400; HttpOnly',
      'csrf_token_1=a=b"; path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT; samesite=lax',
      'domain=1; Path=/',
      'plain=1',
    ]);
    expect((await send(https.url, protocol, { path: '/.ory/sessions/whoami' })).header('set-cookie')).toEqual([
      'ory_session_acme=MTY; Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=None',
      'csrf_token_1=a=b"; path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT; samesite=lax',
      'domain=1; Path=/',
      'plain=1',
    ]);
  });

  it('a client’s cookie and session token reach Ory, its identity headers do not', async () => {
    await get('/.ory/sessions/whoami', [
      ['Cookie', 'ory_session_acme=MTY'],
      ['X-Session-Token', 't'],
      ['X-User-Id', 'forged'],
    ]);
    expect(
      reached.map((seen) => [seen.header('cookie'), seen.header('x-session-token'), seen.header('x-user-id')]),
    ).toEqual([[['ory_session_acme=MTY'], ['t'], []]]);
  });
});

describe('paths in other clothes', () => {
  it.each([
    '/.ory/self-service/../admin/identities',
    '/.ory/self-service/%2e%2e/admin/identities',
    '/.ory/self-service/..%2fadmin/identities',
    '/.ory/self-service/..;/admin/identities',
    '/.ory/self-service//../admin/identities',
    '/.ory/self-service\\..\\admin',
    '/.ory/self-service/%252e%252e/admin/identities',
    '/.ory/sessions/%2e%2e/%61dmin/identities',
    '/%2eory/%61dmin/identities',
  ])('%s reaches no admin path', async (path) => {
    const answer = await sendRaw(edge.url, `GET ${path} HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n`);
    // What is normalised to a public path is that path, and nothing else.
    const publicPath = '/self-service/admin/identities';
    expect(answer).toMatch(path.includes('//') ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 4\d\d /);
    expect(reached.map(({ url }) => url)).toEqual(path.includes('//') ? [publicPath] : []);
  });
});

it('a form is posted through', async () => {
  const body = `method=password&identifier=${'a'.repeat(50_000)}`;
  const answer = await fetch(`${edge.url}/.ory/self-service/login?flow=1`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  expect([answer.status, reached[0]?.body]).toEqual([200, body]);
});
