// The generated bootstrap on a real Envoy, with a stub authorizer: what each side gets to see, and what never passes.
import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectH2, type OutgoingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { TRANSPORTS, type Transport } from '../../src/generate/envoy/transport.ts';
import { until } from '../until.ts';
import {
  type Answer,
  allow,
  deny,
  echoed,
  get,
  headerOf,
  type RawAnswer,
  type Rig,
  type Seen,
  sendRaw,
  startRig,
} from './envoy-rig.ts';

const CONFIG = `
identity_headers: { X-User-Id: [session.identity.id], X-User-Email: [session.identity.traits.email] }
rules:
  - { name: assets, match: { path: "/assets/**" }, allow: anyone }
  - { name: outages, match: { path: "/app-outage" }, allow: anyone }
  - { name: reports, match: { path: "/reports/**" }, upstream: api, require: { session: {} } }
  - { name: app, match: { path: "/app/**" }, require: { session: {} } }
`;
const PROBLEM = 'application/problem+json';

let rigs: Record<Transport, Rig>;
let rig: Rig;

beforeAll(async () => {
  const start = (transport: Transport) => startRig({ config: CONFIG, upstreams: ['app', 'api'], transport });
  rigs = { http: await start('http'), grpc: await start('grpc') };
});
afterEach(() => {
  rig.answer = allow();
});
afterAll(async () => {
  for (const transport of TRANSPORTS) await rigs?.[transport].close();
});

function checksOver(transport: Transport): void {
  beforeAll(() => {
    rig = rigs[transport];
  });
}

function header(answer: Pick<RawAnswer, 'headers'>, name: string): string | undefined {
  return answer.headers.find(([key]) => key === name)?.[1];
}

function lastCheck(): Seen {
  const check = rig.checks.at(-1);
  if (!check) throw new Error('the authorizer was not asked');
  return check;
}

interface H2Answer {
  readonly status: number;
  readonly body: string;
}

async function sendH2(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  trailers?: OutgoingHttpHeaders,
): Promise<H2Answer> {
  const stream = session.request(headers, {
    waitForTrailers: trailers !== undefined,
    endStream: trailers === undefined,
  });
  if (trailers) {
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end('body');
  }
  let status = 0;
  stream.on('response', (response) => {
    status = Number(response[':status']);
  });
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return { status, body: Buffer.concat(chunks).toString() };
}

async function withH2<T>(use: (session: ClientHttp2Session) => Promise<T>): Promise<T> {
  const session = connectH2(`http://127.0.0.1:${rig.port}`);
  try {
    return await use(session);
  } finally {
    session.destroy();
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the shape is Envoy's, and a wrong step fails the test
function withoutEarlyRemoval(bootstrap: any): object {
  const manager = bootstrap.static_resources.listeners[0].filter_chains[0].filters[0].typed_config;
  expect(manager).toHaveProperty('early_header_mutation_extensions');
  delete manager.early_header_mutation_extensions;
  return bootstrap;
}

const SPELLINGS = [
  'x-user-id',
  'X-USER-ID',
  'x_user_id',
  'X.User.Id',
  'x-user_id',
  'X~User!Id',
  "x'user^id",
  'x`user|id',
];
const forgedEmail = (seen: Seen) => seen.headers.filter(([, value]) => value.includes('mallory'));

describe.each(TRANSPORTS)('identity headers, checks over %s', (transport) => {
  checksOver(transport);

  test.each(SPELLINGS)('a client’s %s reaches the application on no rule', async (name) => {
    for (const path of ['/assets/x', '/app/x', '/reports/x']) {
      const seen = echoed(await get(rig.port, path, [`${name}: mallory`, `${name}: mallory2`]));
      expect(forgedEmail(seen)).toEqual([]);
    }
  });

  test('over HTTP/2 they are removed as well, also from routes that ask nobody', async () => {
    await withH2(async (session) => {
      for (const path of ['/assets/x', '/app/x']) {
        const answer = await sendH2(session, {
          ':path': path,
          'x-user-id': 'mallory',
          x_user_id: 'mallory',
          'x.user.email': 'mallory',
        });
        expect(answer.status).toBe(200);
        expect(forgedEmail(JSON.parse(answer.body))).toEqual([]);
      }
    });
  });

  test('in trailers they do not reach the application', async () => {
    await withH2(async (session) => {
      const answer = await sendH2(session, { ':path': '/assets/x', ':method': 'POST' }, { 'x-user-id': 'mallory' });
      const seen = JSON.parse(answer.body) as Seen;
      expect([answer.status, seen.body, seen.trailers]).toEqual([200, 'body', {}]);
      expect(forgedEmail(seen)).toEqual([]);
    });
    const chunked =
      'POST /assets/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\ntrailer: x-user-id\r\n\r\n4\r\nbody\r\n0\r\nx-user-id: mallory\r\n\r\n';
    const seen = echoed(await sendRaw(rig.port, chunked));
    expect([seen.body, seen.trailers]).toEqual(['body', {}]);
  });

  test('the authorizer’s identity arrives once, in place of the client’s, and Connection cannot take it away', async () => {
    rig.answer = allow({ 'x-user-id': 'alice', 'x-user-email': 'alice@example.com' });
    const seen = echoed(
      await get(rig.port, '/app/x', [
        'X-User-Id: mallory',
        'x_user_id: mallory',
        'Connection: X-User-Id, x-user-email',
      ]),
    );
    expect(headerOf(seen, 'x-user-id')).toEqual(['alice']);
    expect(headerOf(seen, 'x-user-email')).toEqual(['alice@example.com']);
    expect(forgedEmail(seen)).toEqual([]);
  });

  test('other headers of the authorizer do not reach the application, and it may have headers removed', async () => {
    const remove = 'cookie,x_user.id,x-user-email';
    rig.answer = allow({ 'x-internal': 'secret', 'ory-rule': 'app', 'x-envoy-auth-headers-to-remove': remove });
    const seen = echoed(await get(rig.port, '/app/x', ['cookie: a=1']));
    expect(
      seen.headers.map(([name]) => name).filter((name) => /^(?:x-internal|ory-.*|cookie|x-envoy-auth.*)$/.test(name)),
    ).toEqual(transport === 'http' ? [] : ['cookie']);
  });

  test('the authorizer may have every spelling of an identity header removed', async () => {
    // Without the early removal, so that there is something to remove.
    const own = await startRig({
      config: CONFIG,
      upstreams: ['app', 'api'],
      transport,
      patch: (yaml) => stringify(withoutEarlyRemoval(parse(yaml))),
    });
    try {
      const sent = ['x-user-id', 'x_user_id', 'x.user_id', 'x-user.email', 'x-user-email'];
      own.answer = allow({ 'x-envoy-auth-headers-to-remove': sent.slice(0, 4).join(), 'x-user-email': 'alice' });
      const seen = echoed(
        await get(
          own.port,
          '/app/x',
          sent.map((name) => `${name}: mallory`),
        ),
      );
      expect(seen.headers.filter(([name]) => /^x[-_.]user/.test(name))).toEqual([['x-user-email', 'alice']]);
    } finally {
      await own.close();
    }
  });

  test('an answer of the authorizer with a control character in a value lets nobody in', async () => {
    const before = rig.received.length;
    // Over HTTP a line break is a header of its own, and the authorizer’s to avoid.
    const lineBreaks = transport === 'http' ? [] : ['\n', '\r\nx-user-email: admin'];
    for (const character of ['\0', '\x01', '\x7f', ...lineBreaks]) {
      rig.answer = (_, reply) => reply.allow({ 'x-user-id': `a${character}b` });
      // Over HTTP no such answer is read; over gRPC validate_mutations finds it, and has a status of its own.
      expect((await get(rig.port, '/app/x')).status).toBe(transport === 'http' ? 503 : 500);
    }
    expect(rig.received.length).toBe(before);
  });
});

describe.each(TRANSPORTS)('the check, checks over %s', (transport) => {
  checksOver(transport);

  test('carries method, path with query, host, and the headers that a verdict needs', async () => {
    const wanted = [
      'cookie: a=1; b=2',
      'authorization: Bearer t',
      'x-session-token: s',
      'accept: text/html',
      'origin: https://o',
      'access-control-request-method: PUT',
      'x-requested-with: XMLHttpRequest',
      'sec-fetch-mode: navigate',
      'sec-fetch-dest: document',
    ];
    await get(
      rig.port,
      '/app/x?y=%2F',
      [...wanted, 'user-agent: u', 'referer: r', 'x-forwarded-for: 6.6.6.6'],
      'A.b:1',
    );
    const check = lastCheck();
    expect([check.method, check.url, headerOf(check, 'host')]).toEqual(['GET', '/app/x?y=%2F', ['A.b:1']]);
    for (const line of wanted) {
      const [name = '', value] = line.split(': ');
      expect(headerOf(check, name)).toEqual([value]);
    }
    expect(headerOf(check, 'ory-status-via')).toEqual(transport === 'http' ? ['metadata'] : []);
    expect(headerOf(check, 'x-request-id')).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)]);
    const rest = check.headers
      .map(([name]) => name)
      .filter((name) => !wanted.some((line) => line.startsWith(`${name}:`)));
    expect(rest.sort()).toEqual(
      transport === 'http'
        ? [
            'content-length',
            'host',
            'ory-status-via',
            'x-envoy-expected-rq-timeout-ms',
            'x-envoy-internal',
            'x-request-id',
          ]
        : ['host', 'x-request-id'],
    );
  });

  test('never has the body of the request', async () => {
    await sendRaw(rig.port, 'POST /app/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 4\r\n\r\nbody');
    expect([lastCheck().method, lastCheck().body, headerOf(lastCheck(), 'content-length')]).toEqual([
      'POST',
      '',
      transport === 'http' ? ['0'] : [],
    ]);
  });

  test('has every repeated credential, from HTTP/1 and HTTP/2 alike: joined by commas over HTTP, a line each over gRPC', async () => {
    const lines = [
      'cookie: a=1',
      'cookie: b=2',
      'authorization: Bearer x',
      'authorization: Bearer y',
      'x-session-token: 1',
      'x-session-token: 2',
    ];
    await get(rig.port, '/app/x', lines);
    const names = ['cookie', 'authorization', 'x-session-token'];
    expect(names.map((name) => headerOf(lastCheck(), name))).toEqual(
      transport === 'http'
        ? [['a=1,b=2'], ['Bearer x,Bearer y'], ['1,2']]
        : [['a=1', 'b=2'], ['Bearer x,Bearer y'], ['1', '2']],
    );
    await withH2(async (session) => {
      await sendH2(session, { ':path': '/app/x', cookie: ['a=1', 'b=2'], 'x-session-token': ['1', '2'] });
    });
    expect(names.map((name) => headerOf(lastCheck(), name))).toEqual([
      ['a=1; b=2'],
      [],
      transport === 'http' ? ['1,2'] : ['1', '2'],
    ]);
  });

  test('is not steered by headers that only the edge itself may set', async () => {
    const forged = [
      'ory-status-via: plain',
      'ory_status: 200',
      'ory-edge-key: app c1',
      'Ory.Cache.For: 99999',
      'ory-rule: assets',
      'ory-reason: session',
      'x-envoy-upstream-rq-timeout-ms: 1',
      'x-envoy-expected-rq-timeout-ms: 1',
      'x-request-id: mine',
    ];
    const seen = echoed(await get(rig.port, '/app/x', forged));
    expect(headerOf(lastCheck(), 'ory-status-via')).toEqual(transport === 'http' ? ['metadata'] : []);
    expect(headerOf(lastCheck(), 'x-envoy-expected-rq-timeout-ms')).toEqual(transport === 'http' ? ['3500'] : []);
    expect(headerOf(lastCheck(), 'x-request-id')).not.toEqual(['mine']);
    expect(seen.headers.filter(([name]) => /^(?:ory|x-envoy-(?!external-address))/.test(name))).toEqual([]);
  });

  test('is not made for a rule that lets anyone pass', async () => {
    const before = rig.checks.length;
    expect((await get(rig.port, '/assets/x', ['cookie: a=1'])).status).toBe(200);
    expect(rig.checks.length).toBe(before);
  });
});

describe.each(TRANSPORTS)('where no rule matches, checks over %s', (transport) => {
  checksOver(transport);

  test('the authorizer gives the denial', async () => {
    rig.answer = deny(403, { 'content-type': PROBLEM, 'cache-control': 'no-store' }, '{"reason":"no_rule"}');
    const answer = await get(rig.port, '/nowhere');
    expect([answer.status, answer.body]).toEqual([403, '{"reason":"no_rule"}']);
    expect(lastCheck().url).toBe('/nowhere');
  });

  test('even a yes of the authorizer leads nowhere', async () => {
    const before = rig.received.length;
    const answer = await get(rig.port, '/nowhere');
    expect([answer.status, JSON.parse(answer.body).reason, header(answer, 'cache-control')]).toEqual([
      403,
      'no_rule',
      'no-store',
    ]);
    expect(rig.received.length).toBe(before);
  });
});

describe.each(TRANSPORTS)('a denial, checks over %s', (transport) => {
  checksOver(transport);

  test('arrives with status, body and the headers that a client needs, and no others', async () => {
    const headers = {
      'content-type': PROBLEM,
      'cache-control': 'no-store',
      'www-authenticate': 'Bearer error="invalid_token"',
      vary: 'Origin',
      'access-control-allow-origin': 'https://o',
      'ory-reason': 'token_expired',
      'ory-rule': 'app',
      'x-internal': 'secret',
    };
    rig.answer = deny(401, headers, '{"reason":"token_expired"}');
    const answer = await get(rig.port, '/app/x');
    expect([answer.status, answer.body]).toEqual([401, '{"reason":"token_expired"}']);
    for (const name of [
      'content-type',
      'cache-control',
      'www-authenticate',
      'vary',
      'access-control-allow-origin',
    ] as const) {
      expect(header(answer, name)).toBe(headers[name]);
    }
    // Over gRPC Envoy hands every header of a denial on: the authorizer itself must not say more.
    const more = transport === 'http' ? [] : ['x-internal'];
    expect(answer.headers.map(([name]) => name).filter((name) => /^(?:ory-|x-)/.test(name))).toEqual(more);
  });

  test('may be a redirect with two cookies', async () => {
    rig.answer = deny(302, { location: 'https://login/x?return_to=y', 'set-cookie': ['a=1; HttpOnly', 'b=2'] });
    const answer = await get(rig.port, '/app/x');
    expect([answer.status, header(answer, 'location'), headerOf(answer, 'set-cookie')]).toEqual([
      302,
      'https://login/x?return_to=y',
      ['a=1; HttpOnly', 'b=2'],
    ]);
  });

  test('never reaches the application', async () => {
    const before = rig.received.length;
    rig.answer = deny(401);
    await get(rig.port, '/app/x');
    await get(rig.port, '/reports/x');
    expect(rig.received.length).toBe(before);
  });
});

test.each(TRANSPORTS)(
  'two cookies of the authorizer reach the client beside the application’s answer, over %s',
  async (transport) => {
    rig = rigs[transport];
    rig.answer = allow({ 'set-cookie': ['a=1', 'b=2'], 'x-internal': 'secret' });
    const answer = await get(rig.port, '/app/x');
    expect([answer.status, headerOf(answer, 'set-cookie'), header(answer, 'x-internal')]).toEqual([
      200,
      ['a=1', 'b=2'],
      undefined,
    ]);
  },
);

/** As the authorizer says it over each transport. */
function outage(transport: Transport): Answer {
  const headers = {
    'ory-reason': 'ory_unreachable',
    'content-type': PROBLEM,
    'cache-control': 'no-store',
    'retry-after': '7',
  };
  const body = '{"reason":"ory_unreachable"}';
  return transport === 'http' ? deny(403, { 'ory-status': '503', ...headers }, body) : deny(503, headers, body);
}

describe.each(TRANSPORTS)('an outage, checks over %s', (transport) => {
  checksOver(transport);

  test('of Ory keeps its body and Retry-After', async () => {
    rig.answer = outage(transport);
    const answer = await get(rig.port, '/app/x');
    expect([
      answer.status,
      answer.body,
      header(answer, 'content-type'),
      header(answer, 'retry-after'),
      header(answer, 'ory-status'),
    ]).toEqual([503, '{"reason":"ory_unreachable"}', PROBLEM, '7', undefined]);
  });

  test('cannot be claimed by a client', async () => {
    rig.answer = deny(403, { 'content-type': PROBLEM }, '{"reason":"no_rule"}');
    const answer = await get(rig.port, '/app/x', ['ory-status: 503', 'ory_status: 503', 'Ory.Status: 503']);
    expect([answer.status, answer.body]).toEqual([403, '{"reason":"no_rule"}']);
  });

  test('cannot be claimed by an application', async () => {
    const answer = await get(rig.port, '/app-outage');
    expect([answer.status, echoed(answer).url]).toEqual([403, '/app-outage']);
  });

  const unreachable: [name: string, answer: Answer][] = [
    ['that drops the connection', (_, reply) => reply.drop()],
    ['that hangs', () => {}],
    ['that begins and hangs', (_, reply) => reply.begin()],
    ['that talks nonsense', (_, reply) => reply.nonsense()],
    ['that fails', (_, reply) => reply.fail()],
  ];
  test.each(unreachable)('of an authorizer %s is a 503 with a problem, and nobody gets in', async (_, answerOf) => {
    const before = rig.received.length;
    rig.answer = answerOf;
    const answer = await get(rig.port, '/app/x');
    expect([
      answer.status,
      header(answer, 'content-type'),
      header(answer, 'retry-after'),
      header(answer, 'cache-control'),
    ]).toEqual([503, PROBLEM, '1', 'no-store']);
    expect(JSON.parse(answer.body)).toEqual({
      type: 'urn:ory-envoy:reason:authorizer_unreachable',
      title: 'The authorizer cannot be reached',
      status: 503,
      reason: 'authorizer_unreachable',
      request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(rig.received.length).toBe(before);
  });

  test('of one connection is met by asking once more', async () => {
    let times = 0;
    rig.answer = (check, reply) => {
      times += 1;
      if (times === 1) reply.drop();
      else allow({ 'x-user-id': 'alice' })(check, reply);
    };
    const answer = await get(rig.port, '/app/x');
    expect([answer.status, times, headerOf(echoed(answer), 'x-user-id')]).toEqual([200, 2, ['alice']]);
  });

  test('of the authorizer leaves open rules open and the others closed', async () => {
    const own = await startRig({ config: CONFIG, upstreams: ['app', 'api'], transport });
    try {
      await own.authorizer.close();
      const closed = await get(own.port, '/app/x');
      expect([closed.status, JSON.parse(closed.body).reason]).toEqual([503, 'authorizer_unreachable']);
      expect((await get(own.port, '/assets/x')).status).toBe(200);
      expect((await get(own.port, '/nowhere')).status).toBe(503);
      const ambiguous = await get(own.port, '/assets/%2e%2e%2fapp');
      expect(ambiguous.status).toBe(400);
    } finally {
      await own.close();
    }
  });
});

describe.each(TRANSPORTS)('protocols, checks over %s', (transport) => {
  checksOver(transport);

  test('HTTP/2 with prior knowledge is judged like HTTP/1', async () => {
    await withH2(async (session) => {
      rig.answer = allow({ 'x-user-id': 'alice' });
      const answer = await sendH2(session, { ':path': '/reports/x' });
      expect([answer.status, headerOf(JSON.parse(answer.body), 'x-user-id')]).toEqual([200, ['alice']]);
      rig.answer = outage(transport);
      const unavailable = await sendH2(session, { ':path': '/reports/x' });
      expect([unavailable.status, unavailable.body]).toEqual([503, '{"reason":"ory_unreachable"}']);
      const ambiguous = await sendH2(session, { ':path': '/assets/;x' });
      expect([ambiguous.status, JSON.parse(ambiguous.body).reason]).toEqual([400, 'path_ambiguous']);
    });
  });

  test('several upstreams: each rule reaches its own', async () => {
    expect(header(await get(rig.port, '/app/x'), 'x-application')).toBe('app');
    expect(header(await get(rig.port, '/reports/x'), 'x-application')).toBe('api');
  });

  const upgrade = (path: string, protocol = 'websocket') =>
    `GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: ${protocol}\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGVzdA==\r\n\r\n`;

  test('a WebSocket passes after a yes, with the identity in its first request', async () => {
    rig.answer = allow({ 'x-user-id': 'alice' });
    const socket = connect(rig.port, '127.0.0.1', () => socket.write(upgrade('/app/ws')));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    await until('an answer to the upgrade', () => text.includes('\r\n\r\n'));
    expect(text).toMatch(/^HTTP\/1\.1 101 /);
    socket.write('ping through the tunnel');
    await until('an echo', () => text.endsWith('ping through the tunnel'));
    socket.destroy();
    expect(headerOf(rig.received.at(-1) ?? lastCheck(), 'x-user-id')).toEqual(['alice']);
    expect([lastCheck().method, lastCheck().url]).toEqual(['GET', '/app/ws']);
  });

  test('a WebSocket is denied before the upgrade', async () => {
    const before = rig.received.length;
    rig.answer = deny(401, { 'content-type': PROBLEM }, '{"reason":"credential_missing"}');
    const answer = await sendRaw(rig.port, upgrade('/app/ws'));
    expect([answer.status, answer.body, rig.received.length]).toEqual([401, '{"reason":"credential_missing"}', before]);
  });

  test('other upgrades are refused', async () => {
    const before = rig.received.length;
    expect((await sendRaw(rig.port, upgrade('/app/ws', 'foo'))).status).toBe(403);
    expect(rig.received.length).toBe(before);
  });

  test('CONNECT is refused without asking anybody, over HTTP/1 and HTTP/2', async () => {
    const [checks, received] = [rig.checks.length, rig.received.length];
    expect((await sendRaw(rig.port, 'CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n')).status).toBe(404);
    await withH2(async (session) => {
      const stream = session.request({ ':method': 'CONNECT', ':authority': 'a:80' });
      const [headers] = await once(stream, 'response');
      expect(headers[':status']).toBe(404);
    });
    expect([rig.checks.length, rig.received.length]).toEqual([checks, received]);
  });

  test('OPTIONS * reaches nobody', async () => {
    const [checks, received] = [rig.checks.length, rig.received.length];
    expect((await sendRaw(rig.port, 'OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')).status).toBe(404);
    expect([rig.checks.length, rig.received.length]).toEqual([checks, received]);
  });

  test('a preflight is asked about like any request, with its method of the real one', async () => {
    rig.answer = deny(401);
    const lines =
      'OPTIONS /app/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\norigin: https://o\r\naccess-control-request-method: PUT\r\n\r\n';
    expect((await sendRaw(rig.port, lines)).status).toBe(401);
    expect([lastCheck().method, headerOf(lastCheck(), 'access-control-request-method')]).toEqual(['OPTIONS', ['PUT']]);
  });
});

describe.each(TRANSPORTS)('forwarded headers, checks over %s', (transport) => {
  checksOver(transport);

  const forged = [
    'x-forwarded-for: 6.6.6.6',
    'x-forwarded-host: evil',
    'X_Forwarded_Host: evil',
    'x-forwarded-proto: https',
    'forwarded: for=6.6.6.6',
    'x-original-url: /admin',
    'X-Rewrite-Url: /admin',
    'x-envoy-original-path: /admin',
  ];

  test('of a client are not believed', async () => {
    const seen = echoed(await get(rig.port, '/assets/x', forged));
    expect(seen.headers.filter(([, value]) => /6\.6\.6\.6|evil|admin/.test(value))).toEqual([]);
    expect(headerOf(seen, 'x-forwarded-proto')).toEqual(['http']);
  });

  test('of a trusted proxy are believed, but no second path', async () => {
    const own = await startRig({ config: CONFIG, upstreams: ['app', 'api'], edge: '  trusted_hops: 1', transport });
    try {
      const seen = echoed(await get(own.port, '/assets/x', forged));
      expect(headerOf(seen, 'x-forwarded-host')).toEqual(['evil']);
      expect(headerOf(seen, 'x-forwarded-proto')).toEqual(['https']);
      expect(headerOf(seen, 'x-forwarded-for')[0]).toMatch(/^6\.6\.6\.6,/);
      expect(seen.headers.filter(([, value]) => value.includes('admin'))).toEqual([]);
    } finally {
      await own.close();
    }
  });
});

describe.each(TRANSPORTS)('the access log, checks over %s', (transport) => {
  checksOver(transport);

  test('has a line for each request with its rule and reason, and no credential', async () => {
    const canary = 'canary-9f2c';
    rig.answer = allow({ 'ory-reason': 'session', 'x-user-id': `${canary}-id`, 'set-cookie': `s=${canary}` });
    const credentials = [
      `cookie: s=${canary}`,
      `authorization: Bearer ${canary}`,
      `x-session-token: ${canary}`,
      `referer: https://a/?t=${canary}`,
    ];
    await get(rig.port, `/app/logged?token=${canary}`, credentials);
    await get(rig.port, `/assets/logged?token=${canary}`, credentials);
    rig.answer = deny(401, { 'ory-reason': 'session_invalid', location: canary }, canary);
    await get(rig.port, `/app/refused?token=${canary}`, credentials);
    await get(rig.port, `/app/;?token=${canary}`, credentials);
    const line = (path: string) => rig.accessLog.find((entry) => entry['path'] === path);
    await until('the last line of the access log', () => line('/app/;') !== undefined);
    expect(line('/app/logged')).toMatchObject({
      method: 'GET',
      host: 'localhost',
      protocol: 'HTTP/1.1',
      status: 200,
      rule: 'app',
      reason: 'session',
      request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      upstream: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      duration_ms: expect.any(Number),
      details: 'via_upstream',
    });
    expect(line('/assets/logged')).toMatchObject({ rule: 'assets', reason: 'anonymous', status: 200 });
    expect(line('/app/refused')).toMatchObject({ rule: 'app', reason: 'session_invalid', status: 401, flags: 'UAEX' });
    expect(line('/app/;')).toMatchObject({ reason: 'path_ambiguous', status: 400 });
    expect(line('/app/;')?.['rule'] ?? null).toBeNull();
    expect(JSON.stringify(rig.accessLog) + rig.log.join('')).not.toContain(canary);
  });
});

test.each(TRANSPORTS)('Envoy itself has nothing to complain about, over %s', (transport) => {
  rig = rigs[transport];
  const complaints = rig.log.filter((line) => /\[(?:warning|error|critical)\]/.test(line));
  expect(complaints).toEqual([]);
});
