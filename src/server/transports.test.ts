// The two transports are one authorizer: the same request gets the same verdict and the same headers, over real sockets.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type WireAnswer, wireAnswer, wireCheck } from '../check/testing/grpc-wire.ts';
import { type RawOry, raw, rawOry } from '../check/testing/raw-ory.ts';
import { RecordingLog } from '../check/testing/recording-log.ts';
import { parseConfig } from '../config/load.ts';
import { type Authorizer, startAuthorizer } from './authorizer.ts';
import { type GrpcClient, grpcClient } from './testing/grpc-client.ts';
import { exchange } from './testing/raw-client.ts';

let ory: RawOry;
let authorizer: Authorizer;
let client: GrpcClient;

beforeAll(async () => {
  ory = await rawOry((socket, head) => {
    const session = JSON.stringify({ id: 's', active: true, identity: { id: 'user é', traits: { email: 'a@b' } } });
    if (/: (?:\S*=)?good\b/.test(head)) socket.write(raw(200, session, { 'set-cookie': 'a=1; Path=/' }));
    else if (/: (?:\S*=)?slow\b/.test(head)) socket.write(raw(429, '', { 'retry-after': '7' }));
    else if (/: (?:\S*=)?down\b/.test(head)) socket.resetAndDestroy();
    else socket.write(head.includes('whoami') ? raw(401, '') : raw(200, '{"keys":[]}'));
  });
  const config = parseConfig(
    `ory: { url: "${ory.url}", timeout: 1s }
edge: { upstream: "http://127.0.0.1:3000" }
tokens: { audiences: [api] }
cache: { ttl: 0s, negative_ttl: 0s }
serve: { http: "127.0.0.1:0", grpc: "127.0.0.1:0" }
rules:
  - { name: public, match: { path: "/public/**" }, allow: anyone }
  - { name: home, match: { path: / }, allow: anyone, identify: true }
  - { name: api, match: { path: "/api/**" }, require: { token: {} } }
  - { name: web, match: { path: "/web/**" }, require: { session: {} }, unauthenticated: redirect }
  - { name: app, match: { host: "*.example", path: "/app/**", methods: [GET, POST, OPTIONS] }, require: { session: {} } }
`,
    'f',
    { env: {} },
  );
  authorizer = await startAuthorizer(config, { log: new RecordingLog() });
  client = grpcClient(authorizer.grpc);
});

afterAll(async () => {
  client.close();
  await authorizer.close(100);
  await ory.close();
});

interface Asked {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly headers: readonly (readonly [string, string])[];
}

/** What an answer comes to, in the words of neither transport. */
interface Outcome {
  readonly status: number;
  readonly body: string;
  readonly reason: string | undefined;
  readonly rule: string | undefined;
  /** Of a yes: set on the request. Of a no: given to the client. */
  readonly headers: readonly string[];
  readonly remove: readonly string[];
  readonly cookies: readonly string[];
}

async function overHttp({ method, target, host, headers }: Asked): Promise<Outcome> {
  const lines = [`host: ${host}`, 'connection: close', ...headers.map(([name, value]) => `${name}: ${value}`)];
  const text = await exchange(authorizer.http, `${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  const end = text.indexOf('\r\n\r\n');
  const [first = '', ...received] = text.slice(0, end).split('\r\n');
  const pairs = received.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 2)];
  });
  const all = (name: string) => pairs.filter(([key]) => key === name).map(([, value]) => value);
  const own = new Set(['content-length', 'connection', 'keep-alive', 'ory-reason', 'ory-rule', 'set-cookie', REMOVE]);
  return {
    status: Number(first.split(' ')[1]),
    body: text.slice(end + 4),
    reason: all('ory-reason')[0],
    rule: all('ory-rule')[0],
    headers: pairs.filter(([name]) => !own.has(name)).map((pair) => pair.join(': ')),
    remove: all(REMOVE).flatMap((value) => value.split(',')),
    cookies: all('set-cookie').map(timeless),
  };
}
const REMOVE = 'x-envoy-auth-headers-to-remove';

async function overGrpc(asked: Asked, as: 'raw' | 'map'): Promise<Outcome> {
  const answer: WireAnswer = wireAnswer(await client.check(wireCheck({ ...asked, as })));
  const ok = answer.kind === 'ok';
  expect(ok).toBe(answer.code === 0);
  return {
    status: ok ? 200 : (answer.httpStatus ?? 0),
    body: asked.method === 'HEAD' ? '' : answer.body,
    reason: answer.metadata['ory-reason'],
    rule: answer.metadata['ory-rule'],
    headers: answer.headers.filter(({ name }) => name !== 'set-cookie').map(({ name, value }) => `${name}: ${value}`),
    remove: answer.remove,
    cookies: [...answer.headers.filter(({ name }) => name === 'set-cookie'), ...answer.responseHeaders].map(
      ({ value }) => timeless(value),
    ),
  };
}

/** The cookie that counts redirects holds the second in which it began to. */
function timeless(cookie: string): string {
  return cookie.replace(/\.\d{10}\b/g, '.now');
}

/** As Envoy sends repeated headers over HTTP, and over gRPC without encode_raw_headers. */
function joined(asked: Asked): Asked {
  const values = new Map<string, string>();
  for (const [name, value] of asked.headers) {
    const before = values.get(name);
    values.set(name, before === undefined ? value : `${before},${value}`);
  }
  return { ...asked, headers: [...values] };
}

const credential = fc.constantFrom(
  'good',
  'good',
  'bad',
  'slow',
  'down',
  'ory_st_x',
  'a.b.c',
  '',
  'go od',
  'x\xe9',
  'g"',
  'a,b',
);
const line = fc.oneof(
  credential.map((value): [string, string] => ['x-session-token', value]),
  credential.map((value): [string, string] => ['authorization', `Bearer ${value}`.trim()]),
  credential.map((value): [string, string] => ['authorization', `Basic ${value}`.trim()]),
  credential.map((value): [string, string] => ['cookie', `ory_kratos_session=${value}`]),
  fc
    .tuple(credential, credential)
    .map(([a, b]): [string, string] => ['cookie', `ory_session_a=${a}; ory_kratos_session=${b}`]),
  fc.constant<[string, string]>(['accept', 'text/html']),
  fc.constant<[string, string]>(['authorization', 'Bearer a.b.c']),
  fc.constantFrom<[string, string]>(
    ['accept', 'text/html'],
    ['accept', 'application/json'],
    ['x-requested-with', 'XMLHttpRequest'],
    ['sec-fetch-mode', 'navigate'],
    ['sec-fetch-mode', 'cors'],
    ['sec-fetch-dest', 'document'],
    ['sec-fetch-dest', 'empty'],
    ['origin', 'https://o'],
    ['access-control-request-method', 'PUT'],
    ['x-forwarded-host', 'evil'],
    ['x-user-id', 'mallory'],
    ['accept-language', 'x\xff\x80'],
  ),
);
const asked: fc.Arbitrary<Asked> = fc.record({
  method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST', 'OPTIONS', 'DELETE'),
  target: fc
    .tuple(
      fc.constantFrom(
        '/',
        '/public/x',
        '/api/x',
        '/web/a%20b',
        '/web/x',
        '/app/x',
        '/app',
        '/other',
        '/app/%2f',
        '/app/;',
        '/app/..',
      ),
      fc.constantFrom('', '?', '?a=b&c=%2F', '?/public/x'),
    )
    .map((parts) => parts.join('')),
  host: fc.constantFrom('app.example', 'App.EXAMPLE:8080', 'other.test', 'a..b', ''),
  // With an id of its own, so that the bodies are the same.
  headers: fc.array(line, { maxLength: 5 }).map((lines) => [['x-request-id', 'r-1'], ...lines] as const),
});

test('whatever is asked, HTTP and gRPC give the same answer, with raw and with joined headers', {
  timeout: 120_000,
}, async () => {
  const reasons = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(asked, async (one) => {
      const http = await overHttp(one);
      const kind = http.status === 302 ? '302' : (http.reason ?? '');
      reasons.set(kind, (reasons.get(kind) ?? 0) + 1);
      expect(await overGrpc(one, 'raw')).toEqual(http);
      expect(await overGrpc(joined(one), 'map')).toEqual(await overHttp(joined(one)));
    }),
    { numRuns: 1_500, seed: 20_261_124 },
  );
  for (const [reason, count] of reasons) if (count < 3) reasons.delete(reason);
  expect([...reasons.keys()]).toEqual(
    expect.arrayContaining([
      ...['session', 'anonymous', 'credential_missing', 'credential_ambiguous', 'credential_malformed'],
      ...['session_invalid', 'token_malformed', 'no_rule', 'path_ambiguous', 'ory_rate_limited', 'ory_unreachable'],
      '302',
    ]),
  );
});
