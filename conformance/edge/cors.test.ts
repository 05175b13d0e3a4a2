// Pages of other origins: their preflights, and denials that a script can read. A real Envoy, the real authorizer.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DevOry, startDevOry } from '../../src/dev/ory.ts';
import { TRANSPORTS } from '../../src/generate/envoy/transport.ts';
import { type Lines, send, sendRaw } from './rig/client.ts';
import type { Edge } from './rig/edge.ts';
import { type Edges, startEdges, WAYS } from './rig/transports.ts';

const PAGE = 'https://spa.test';
let ory: DevOry;
let edges: Edges;
let edge: Edge;

beforeAll(async () => {
  ory = await startDevOry({ port: 0, audience: ['https://api.test'] });
  edges = await startEdges(() => ({
    ory: { url: ory.url },
    tokens: { audiences: ['https://api.test'] },
    rules: [
      { name: 'open', match: { path: '/open' }, allow: 'anyone' },
      { name: 'home', match: { path: '/home' }, allow: 'anyone', identify: true },
      { name: 'api', match: { path: '/api' }, require: { token: {} }, cors: { origins: [PAGE, 'https://b.test'] } },
      { name: 'app', match: { path: '/app' }, require: { session: {} }, cors: { origins: [PAGE] } },
      { name: 'own', match: { path: '/own' }, require: { session: {} } },
    ],
  }));
});

afterAll(async () => {
  await edges?.close();
  await ory?.close();
});

describe.each(WAYS)('over $protocol, checks over $transport', ({ protocol, transport }) => {
  beforeAll(() => {
    edge = edges[transport];
  });
  const ask = (path: string, method: string, headers: Lines) => send(edge.url, protocol, { path, method, headers });
  const preflight = (path: string, origin: string, more: Lines = []) =>
    ask(path, 'OPTIONS', [['Origin', origin], ['Access-Control-Request-Method', 'DELETE'], ...more]);
  const session: Lines = [['X-Session-Token', 'ory_st_x']];

  it.each([
    ['/api', PAGE],
    ['/api', 'https://b.test'],
    ['/app', PAGE],
    ['/home', 'https://evil.test'],
    ['/open', 'https://evil.test'],
  ])('a preflight of %s by %s reaches the application, without identity', async (path, origin) => {
    const seen = (await preflight(path, origin, [['X-User-Id', 'forged']])).seen();
    expect([seen.method, seen.header('x-user-id')]).toEqual(['OPTIONS', []]);
  });

  it.each([
    ['/app', 'https://b.test'],
    ['/app', 'null'],
    ['/app', `${PAGE}, https://evil.test`],
    ['/api', 'https://evil.test'],
    ['/own', PAGE],
  ])('a preflight of %s by %s does not', async (path, origin) => {
    const before = edge.app.count();
    const answer = await preflight(path, origin);
    expect([answer.status, answer.json()['reason']]).toEqual([401, 'credential_missing']);
    expect(answer.header('access-control-allow-origin')).toEqual([]);
    expect(edge.app.count()).toBe(before);
  });

  it('OPTIONS that is no preflight is judged like any request', async () => {
    for (const headers of [[], [['Origin', PAGE]], [['Access-Control-Request-Method', 'GET']]] as Lines[])
      expect((await ask('/app', 'OPTIONS', headers)).json()['reason']).toBe('credential_missing');
  });

  it.each<[string, Lines]>([
    ['a session token', session],
    ['a cookie', [['Cookie', 'ory_kratos_session=x']]],
    ['an Authorization', [['Authorization', 'Bearer ory_st_x']]],
  ])('with %s it is none, for a browser sends no credentials with one', async (_, credential) => {
    const before = edge.app.count();
    expect((await preflight('/app', PAGE, credential)).json()['reason']).toBe('session_invalid');
    expect(edge.app.count()).toBe(before);
  });

  it.each(['', 'GET, PUT', 'GET PUT'])('with %j as the method that it asks for it is none', async (method) => {
    const headers: Lines = [
      ['Origin', PAGE],
      ['Access-Control-Request-Method', method],
    ];
    expect((await ask('/app', 'OPTIONS', headers)).json()['reason']).toBe('credential_missing');
  });

  it('a preflight by another method is none', async () => {
    const answer = await ask('/app', 'POST', [
      ['Origin', PAGE],
      ['Access-Control-Request-Method', 'POST'],
    ]);
    expect(answer.json()['reason']).toBe('credential_missing');
  });

  it('a denial can be read by a page that the rule names, and by no other', async () => {
    const answer = await ask('/app', 'GET', [['Origin', PAGE], ...session]);
    expect([answer.status, answer.json()['reason']]).toEqual([401, 'session_invalid']);
    expect(answer.header('access-control-allow-origin')).toEqual([PAGE]);
    expect(answer.header('access-control-allow-credentials')).toEqual(['true']);
    expect(answer.header('vary')).toEqual(['Origin']);
    for (const [path, origin] of [
      ['/app', 'https://evil.test'],
      ['/own', PAGE],
    ] as const)
      expect((await ask(path, 'GET', [['Origin', origin], ...session])).header('access-control-allow-origin')).toEqual(
        [],
      );
  });

  it('so can the news that the authorizer is away', async () => {
    await edge.authorizer.kill();
    try {
      const answer = await ask('/app', 'GET', [['Origin', PAGE]]);
      expect([answer.status, answer.json()['reason']]).toEqual([503, 'authorizer_unreachable']);
      expect([answer.header('access-control-allow-origin'), answer.header('retry-after')]).toEqual([[PAGE], ['1']]);
      const other = await ask('/app', 'GET', [['Origin', 'https://evil.test']]);
      expect([other.status, other.header('access-control-allow-origin')]).toEqual([503, []]);
    } finally {
      await edge.authorizer.start();
    }
  });
});

describe.each(TRANSPORTS)('a WebSocket, checks over %s', (transport) => {
  const upgrade = (method: string, more: string) =>
    sendRaw(
      edges[transport].url,
      `${method} /open HTTP/1.1\r\nhost: a.test\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`,
      /\r\n\r\n/,
    );

  it('begins with GET, and with nothing that would pass for a preflight', async () => {
    const preflight = `connection: Upgrade\r\norigin: ${PAGE}\r\naccess-control-request-method: GET\r\n`;
    expect(await upgrade('GET', 'connection: Upgrade\r\n')).toMatch(/^HTTP\/1\.1 101 /);
    for (const method of ['OPTIONS', 'POST', 'DELETE'])
      expect(await upgrade(method, preflight)).toMatch(/^HTTP\/1\.1 403 /);
  });

  it('names no header as one that the next hop may take away', async () => {
    expect(await upgrade('GET', 'connection: keep-alive, Upgrade\r\n')).toMatch(/^HTTP\/1\.1 101 /);
    expect(await upgrade('GET', 'connection: Upgrade, X-User-Id\r\n')).toMatch(/^HTTP\/1\.1 403 /);
  });
});
