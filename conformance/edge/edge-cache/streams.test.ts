// What goes on from a remembered session to the application, and what never does; and requests that are not one question
// and one answer: upgrades, streams, resets, retries, mirrors.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  connect as connectHttp2,
  createServer as createHttp2,
  type Http2Server,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TRANSPORTS } from '../../../src/generate/envoy/transport.ts';
import { until } from '../../until.ts';
import { rawOutcome, rawOutcomes, rawRequest } from '../attacks/rig.ts';
import { claimsOf, sign } from '../attacks/scripted-ory.ts';
import type { Lines } from '../rig/client.ts';
import { type Json, routesOf } from './bootstrap.ts';
import { bearer, cookie, opaque, type Rig, session, startRig, token, warm } from './rig.ts';

type Received = readonly (readonly [string, string])[];

function linesOf({ rawHeaders }: IncomingMessage): Received {
  return rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1] ?? ''] as const] : []));
}

/** An application that keeps the headers of all that reaches it. */
async function recorder(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    received.push(linesOf(request));
    request.resume();
    answer(request, response);
  });
  server.on('upgrade', (request, socket) => {
    received.push(linesOf(request));
    socket.on('error', () => {});
    socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n');
    socket.pipe(socket);
  });
  return { received, server, url: `http://127.0.0.1:${await listening(server)}` };
}

async function listening(server: Server | Http2Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const echo = (request: IncomingMessage, response: ServerResponse) =>
  void response.end(JSON.stringify({ headers: linesOf(request), url: request.url }));

/** Each route of a rule, changed. */
const eachRoute = (change: (route: Json) => void) => (manager: Json) => {
  for (const route of routesOf(manager)) if (route['name'] !== undefined) change(route['route'] as Json);
};

const VARIANTS = [
  { name: 'edge' },
  {
    name: 'mirrored',
    manager: eachRoute((route) => {
      route['request_mirror_policies'] = [{ cluster: 'upstream-mirror' }];
    }),
  },
  {
    name: 'weighted',
    manager: eachRoute((route) => {
      const weights = ['app', 'mirror'].map((name) => ({ name: `upstream-${name}`, weight: 50 }));
      delete route['cluster'];
      route['weighted_clusters'] = { clusters: weights };
    }),
  },
  {
    name: 'retrying',
    manager: eachRoute((route) => {
      route['retry_policy'] = { retry_on: '5xx', num_retries: 3, retry_back_off: { base_interval: '0.01s' } };
    }),
  },
  {
    name: 'routed',
    // A route for whoever has an identity already: chosen before the edge cache gives one.
    manager: (manager: Json) => {
      const config = manager['route_config'] as { virtual_hosts: { routes: Json[] }[] };
      config.virtual_hosts[0]?.routes.unshift({
        match: { prefix: '/', headers: [{ name: 'x-user-id', present_match: true }] },
        direct_response: { status: 418 },
      });
    },
  },
];

describe.each(TRANSPORTS)('over %s', (transport) => {
  let rig: Rig;
  let app: Awaited<ReturnType<typeof recorder>>;
  let mirror: Awaited<ReturnType<typeof recorder>>;
  let grpc: Http2Server;
  let grpcReceived: Received[];
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  let value: string;

  beforeAll(async () => {
    app = await recorder((request, response) => answer(request, response));
    mirror = await recorder(echo);
    grpc = createHttp2();
    grpc.on('stream', (stream: ServerHttp2Stream, headers) => {
      grpcReceived.push(Object.entries(headers).map(([name, one]) => [name, String(one)] as const));
      stream.on('error', () => {});
      if (headers[':path']?.endsWith('/Fail')) {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5' }, { endStream: true });
        return;
      }
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.on('data', (data: Buffer) => stream.write(data));
      stream.on('end', () => stream.end());
    });
    const grpcUrl = `h2c://127.0.0.1:${await listening(grpc)}`;
    rig = await startRig({
      transport,
      variants: VARIANTS,
      upstreams: { app: app.url, mirror: mirror.url, grpc: grpcUrl },
      change: {
        cache: { ttl: '10m', edge_ttl: '10m' },
        rules: [
          { name: 'public', match: { path: '/public/**' }, upstream: 'app', allow: 'anyone' },
          { name: 'home', match: { path: '/home' }, upstream: 'app', allow: 'anyone', identify: true },
          { name: 'admin', match: { path: '/admin/**' }, upstream: 'app', require: { session: {} } },
          {
            name: 'spa',
            match: { path: '/spa/**' },
            upstream: 'app',
            require: { session: {} },
            cors: { origins: ['https://spa.test'] },
          },
          { name: 'api', match: { path: '/api/**' }, upstream: 'app', require: { token: {} } },
          {
            name: 'either',
            match: { path: '/either/**' },
            upstream: 'app',
            require: { any_of: [{ token: {} }, { session: {} }] },
          },
          { name: 'calls', match: { path: '/echo.Echo/**' }, upstream: 'grpc', require: { session: {} } },
        ],
      },
    });
  });
  afterAll(async () => {
    await rig?.close();
    for (const one of [app, mirror]) {
      one?.server.closeAllConnections();
      one?.server.close();
    }
    grpc?.close();
  });
  beforeEach(() => {
    answer = echo;
    grpcReceived = [];
    value = session(rig, 'ada');
  });

  const names = (received: readonly Received[]) => new Set(received.flat().map(([name]) => name));
  const ids = (received: readonly Received[]) =>
    received.map((lines) => lines.filter(([name]) => name === 'x-user-id').map(([, id]) => id));

  it('the key never goes on, nor is anything of the wire seen by application, mirror, client or log', async () => {
    const secrets = [value, opaque(rig, 'mark'), await sign(rig.ory.rs256, claimsOf(rig.ory))];
    const [, access = '', jwt = ''] = secrets;
    const bodies: string[] = [];
    // Which of two clusters a weighted route takes is chance: what both have got is not.
    let copies = 0;
    const since = [app.received.length, mirror.received.length];
    const arrived = () => app.received.length - (since[0] ?? 0) + mirror.received.length - (since[1] ?? 0);
    const all: [string, Lines][] = [
      ['/admin/x', cookie(value)],
      ['/admin/x', token(value)],
      ['/admin/x', bearer(value)],
      ['/admin/x', [...cookie(value), ...bearer(value)]],
      ['/admin/x', token('nobody')],
      ['/home', cookie(value)],
      ['/home', []],
      ['/public/x', cookie(value)],
      ['/api/x', bearer(access)],
      ['/api/x', bearer(jwt)],
      ['/api/x', [...bearer(jwt), ...cookie(value)]],
      ['/either/x', bearer(access)],
      ['/either/x', cookie(value)],
      ['/nowhere', cookie(value)],
    ];
    const own: Lines = [
      ['ory-edge-key', `admin t${value}`],
      ['Ory_Edge_Key', 'x'],
    ];
    const round = async (variant: string) => {
      for (const [path, lines] of all) {
        const body = await rig.ask(path, [...lines, ...own], { variant });
        bodies.push(body);
        if (body.startsWith('200')) copies += variant === 'mirrored' ? 2 : 1;
      }
    };
    for (const { name } of VARIANTS) for (let i = 0; i < 3; i++) await round(name);
    await rig.stopAuthorizer();
    for (const { name } of VARIANTS) await round(name);
    await rig.startAuthorizer();
    expect(bodies).toContain('200 ada /admin/x');
    expect(bodies).toContain('503 authorizer_unreachable');
    await until('the mirror has got its copies', () => arrived() >= copies);
    expect([arrived(), mirror.received.length > (since[1] ?? 0)]).toEqual([copies, true]);
    const received = [...app.received.slice(since[0]), ...mirror.received.slice(since[1])];
    expect([...names(received)].filter((name) => /^ory|edge.?key/i.test(name))).toEqual([]);
    await until('the log is written', () => rig.accessLog.length >= all.length * VARIANTS.length * 4);
    const written = JSON.stringify(rig.accessLog) + rig.log.join('\n');
    for (const secret of secrets) expect(written.includes(secret), 'a credential was written').toBe(false);
    expect(written.includes('edge-key')).toBe(false);
    const deciders = new Set(rig.accessLog.map((line) => line['decided_by']));
    expect(deciders).toEqual(new Set(['native', 'authorizer', 'edge-cache']));
    const remembered = rig.accessLog.filter((line) => line['decided_by'] === 'edge-cache');
    expect(new Set(remembered.map((line) => line['reason']))).toEqual(new Set(['session', 'token']));
  });

  it('what is mirrored or goes to one of several has the identity of the request, and no more', async () => {
    await warm(rig, '/admin/x', token(value), 'mirrored');
    const since = mirror.received.length;
    await rig.ask('/admin/x', [...token(value), ['X-User-Id', 'forged']], { variant: 'mirrored' });
    await until('the mirror has it', () => mirror.received.length > since);
    expect(ids(mirror.received.slice(since))).toEqual([['ada']]);
    await warm(rig, '/admin/x', token(value), 'weighted');
    for (let i = 0; i < 10; i++)
      expect(await rig.ask('/admin/x', token(value), { variant: 'weighted' })).toBe('200 ada /admin/x');
  });

  it('what the edge cache sets chooses no other route', async () => {
    await warm(rig, '/admin/x', token(value), 'routed');
    for (let i = 0; i < 3; i++)
      expect(await rig.ask('/admin/x', token(value), { variant: 'routed' })).toBe('200 ada /admin/x');
  });

  it('a retried request is one yes, with its identity each time', async () => {
    let tries = 0;
    answer = (request, response) => (++tries % 3 === 0 ? echo(request, response) : void response.writeHead(503).end());
    const since = app.received.length;
    const counts = await rig.during(async () => {
      for (let i = 0; i < 2; i++)
        expect(await rig.ask('/admin/x', token(value), { variant: 'retrying' })).toBe('200 ada /admin/x');
    }, 'retrying');
    expect(counts).toEqual({ hits: 1, misses: 1, stores: 1, asked: 1 });
    expect(ids(app.received.slice(since))).toEqual(Array(6).fill(['ada']));
  });

  it('a WebSocket on a remembered session has the identity, and one without a session gets none', async () => {
    const upgrade = (lines: readonly string[]) =>
      new Promise<string>((resolve) => {
        let received = '';
        const socket = connect(Number(new URL(rig.url()).port), '127.0.0.1', () =>
          socket.write(
            [
              'GET /admin/ws HTTP/1.1',
              'host: app.test',
              'connection: Upgrade',
              'upgrade: websocket',
              'sec-websocket-version: 13',
              'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
              ...lines,
              '',
              '',
            ].join('\r\n'),
          ),
        );
        socket.on('data', (data) => {
          received += data.toString('latin1');
          if (received.startsWith('HTTP/1.1 101') && !received.includes('ping')) socket.write('ping');
          else socket.destroy();
        });
        socket.on('close', () => resolve(received));
        socket.on('error', () => {});
      });
    const since = app.received.length;
    const counts = await rig.during(async () => {
      for (let i = 0; i < 2; i++) {
        const received = await upgrade([`X-Session-Token: ${value}`]);
        expect(received).toMatch(/^HTTP\/1\.1 101[\s\S]*ping/);
      }
      expect(await upgrade(['X-Session-Token: nobody'])).toMatch(/^HTTP\/1\.1 401/);
    });
    expect(counts).toMatchObject({ hits: 1, misses: 2, stores: 1 });
    expect(ids(app.received.slice(since))).toEqual([['ada'], ['ada']]);
    expect([...names(app.received.slice(since))].filter((name) => name.startsWith('ory-'))).toEqual([]);
  });

  it('a remembered session opens no other upgrade, no CONNECT and no pair of requests', async () => {
    await warm(rig, '/admin/x', token(value));
    const ask = (line: string, ...lines: string[]) =>
      rawOutcome({ url: rig.url() }, line, `X-Session-Token: ${value}`, ...lines);
    expect(await ask('CONNECT app.test:443 HTTP/1.1')).toMatch(/^(?:refused|40\d.*)$/);
    expect(await ask('GET /admin/x HTTP/1.1', 'Connection: Upgrade', 'Upgrade: foo')).toMatch(/^(?:refused|40\d.*)$/);
    expect(await ask('POST /admin/x HTTP/1.1', 'Connection: Upgrade', 'Upgrade: websocket')).toMatch(/^403/);
    expect(await ask('POST /admin/x HTTP/1.1', 'Content-Length: 3', 'Transfer-Encoding: chunked')).toMatch(
      /^(?:refused|400)/,
    );
    const two = `${rawRequest('GET /admin/x HTTP/1.1', [`X-Session-Token: ${value}`]).replace('connection: close\r\n', '')}${rawRequest('GET /admin/y HTTP/1.1', [])}`;
    expect(await rawOutcomes({ url: rig.url() }, two)).toEqual(['200 ada /admin/x', '401 credential_missing']);
  });

  it('a NUL or a broken line in a credential reaches nobody', async () => {
    await warm(rig, '/admin/x', token(value));
    for (const line of [
      `X-Session-Token: ${value}\0x`,
      `Cookie: ory_kratos_session=${value}\0`,
      `X-Session-Token: ${value}\r x`,
    ]) {
      const { hits } = await rig.during(async () => {
        expect(await rawOutcome({ url: rig.url() }, 'GET /admin/x HTTP/1.1', line)).toMatch(
          /^(?:refused|400|401 credential_malformed)/,
        );
      });
      expect(hits).toBe(0);
    }
  });

  it('100-continue and a body change nothing', async () => {
    const bytes = rawRequest('POST /admin/x HTTP/1.1', [
      `X-Session-Token: ${value}`,
      'Expect: 100-continue',
      'Content-Length: 4',
    ]);
    const counts = await rig.during(async () => {
      for (let i = 0; i < 2; i++)
        expect(await rawOutcomes({ url: rig.url() }, `${bytes}body`)).toEqual(['200 ada /admin/x']);
    });
    expect(counts).toMatchObject({ hits: 1, stores: 1, asked: 1 });
  });

  it('clients that go away leave nothing behind that is another’s', async () => {
    const held: ServerResponse[] = [];
    answer = (_, response) => void held.push(response);
    const people = Array.from({ length: 20 }, (_, i) => [`p${i}`, session(rig, `p${i}`)] as const);
    const since = app.received.length;
    const { stores } = await rig.during(async () => {
      const sockets = people.map(([, one]) => {
        const socket = connect(Number(new URL(rig.url()).port), '127.0.0.1');
        socket.on('error', () => {});
        socket.write(`GET /admin/x HTTP/1.1\r\nhost: app.test\r\nx-session-token: ${one}\r\n\r\n`);
        return socket;
      });
      await until('the application has them all', () => app.received.length - since === people.length);
      for (const socket of sockets) socket.destroy();
      for (const response of held) response.end();
    });
    expect(stores).toBe(0);
    answer = echo;
    for (const [name, one] of people) {
      for (let i = 0; i < 2; i++) expect(await rig.ask('/admin/x', token(one))).toBe(`200 ${name} /admin/x`);
    }
  });

  it('an identity beyond ASCII is the same from memory', async () => {
    const odd = 'Ädä\r\nX-User-Id: root %41 \u0000 "é"';
    rig.ory.session(value, 'ada', { identity: { id: odd, state: 'active', traits: { name: 'ß' } } });
    const since = app.received.length;
    await rig.ask('/admin/x', token(value));
    await warm(rig, '/admin/x', token(value));
    const seen = app.received.slice(since).map((lines) => lines.filter(([name]) => name.startsWith('x-user')));
    expect(new Set(seen.map((one) => JSON.stringify(one))).size).toBe(1);
    expect(seen[0]?.map(([name]) => name).sort()).toEqual(['x-user-id', 'x-user-traits']);
    expect(seen[0]?.every(([, one]) => /^[!-~]+$/.test(one))).toBe(true);
  });

  it('a redirect of the application is the client’s to follow', async () => {
    answer = (_, response) => void response.writeHead(302, { location: '/public/x' }).end();
    for (let i = 0; i < 3; i++) expect(await rig.ask('/admin/x', token(value))).toBe('302');
  });

  it.each([
    ...[
      '/admin/..;/public',
      '/admin;x/y',
      '/admin/%2e%2e/home',
      '/admin/%252f',
      '/admin/x%2fy',
      '/admin/x%5cy',
      '/admin//x',
    ],
    ...['/admin/x%00', '/admin/%3b', '/admin/x?a;b', '/admin/%zz', '/ADMIN/x', '/admin', '/admin/é'],
  ])('a path is refused on a remembered session as on any other: %s', async (path) => {
    await warm(rig, '/admin/x', token(value));
    const unknown = session(rig, 'ada');
    const raw = Buffer.from(path, 'utf8').toString('latin1');
    const ask = (one: string) => rawOutcome({ url: rig.url() }, `GET ${raw} HTTP/1.1`, `X-Session-Token: ${one}`);
    const expected = await ask(unknown);
    expect(await ask(value)).toBe(expected);
    expect(await ask(value)).toBe(expected);
  });

  it('a preflight is judged as one, and carries no identity', async () => {
    await warm(rig, '/spa/x', cookie(value));
    const preflight: Lines = [
      ['Origin', 'https://spa.test'],
      ['Access-Control-Request-Method', 'PUT'],
    ];
    const other: Lines = [['Origin', 'https://evil.test'], ...preflight.slice(1)];
    const ask = (lines: Lines) => rig.ask('/spa/x', lines, { method: 'OPTIONS' });
    for (let i = 0; i < 2; i++) {
      expect(await ask(preflight)).toBe('200 nobody /spa/x');
      expect(await ask(other)).toBe('401 credential_missing');
      // With a credential it is no preflight (Fetch, section 4.8), and a request like others.
      expect(await ask([...preflight, ...cookie(value)])).toBe('200 ada /spa/x');
      expect(await ask([...preflight, ...cookie('nobody')])).toBe('401 session_invalid');
    }
  });

  interface Call {
    readonly status: number;
    readonly grpcStatus: string;
    readonly body: string;
  }

  function call(method: string, lines: Lines, messages: readonly string[]): Promise<Call> {
    return new Promise((resolve, reject) => {
      const client = connectHttp2(rig.url());
      client.on('error', reject);
      const fields = {
        ':method': 'POST',
        ':path': `/echo.Echo/${method}`,
        'content-type': 'application/grpc',
        te: 'trailers',
      };
      const stream = client.request({
        ...fields,
        ...Object.fromEntries(lines.map(([name, one]) => [name.toLowerCase(), one])),
      });
      let [status, grpcStatus, body, sent] = [0, '', '', 0];
      stream.on('response', (headers) => {
        status = Number(headers[':status']);
        grpcStatus = String(headers['grpc-status'] ?? '');
        if (grpcStatus === '') stream.write(messages[sent++]);
      });
      stream.on('trailers', (trailers) => {
        grpcStatus = String(trailers['grpc-status']);
      });
      stream.on('data', (data: Buffer) => {
        body += data.toString();
        if (sent < messages.length) stream.write(messages[sent++]);
        else stream.end();
      });
      stream.on('error', reject);
      stream.on('close', () => {
        client.close();
        resolve({ status, grpcStatus, body });
      });
    });
  }

  it('gRPC streams of an application, message by message, and answers of trailers alone', async () => {
    const counts = await rig.during(async () => {
      for (let i = 0; i < 3; i++)
        expect(await call('Talk', token(value), ['a', 'b', 'c'])).toEqual({
          status: 200,
          grpcStatus: '0',
          body: 'abc',
        });
    });
    expect(counts).toEqual({ hits: 2, misses: 1, stores: 1, asked: 1 });
    const other = session(rig, 'bob');
    const alone = await rig.during(async () => {
      for (let i = 0; i < 3; i++)
        expect(await call('Fail', token(other), [])).toEqual({ status: 200, grpcStatus: '5', body: '' });
    });
    expect(alone).toEqual({ hits: 2, misses: 1, stores: 1, asked: 1 });
    expect(await call('Talk', token('nobody'), ['a'])).toMatchObject({ grpcStatus: '16', body: '' });
    const users = grpcReceived.map((lines) => lines.find(([name]) => name === 'x-user-id')?.[1]);
    expect(users).toEqual(['ada', 'ada', 'ada', 'bob', 'bob', 'bob']);
    expect([...names(grpcReceived)].filter((name) => name.startsWith('ory-'))).toEqual([]);
  });
});
