// The client against answers that are broken, slow or hostile, and what arrives at Ory.
import { afterEach, describe, expect, test } from 'vitest';
import type { Credential } from '../credential/credential.ts';
import { ThrottledLog } from '../log.ts';
import { type RawOry, type Respond, raw, rawOry } from '../testing/raw-ory.ts';
import { RecordingLog } from '../testing/recording-log.ts';
import { createIntrospectionVerifier } from './introspection.ts';
import { createKratosVerifier } from './kratos.ts';
import { createOryClient, type OryClient } from './ory-client.ts';

const SESSION = JSON.stringify({ id: 's', active: true, identity: { id: 'i' } });
const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function against(respond: Respond, timeoutMs = 2_000): Promise<{ ory: RawOry; client: OryClient }> {
  const ory = await rawOry(respond);
  const client = createOryClient(timeoutMs);
  open.push(
    () => client.close(),
    () => ory.close(),
  );
  return { ory, client };
}

async function verify(
  respond: Respond,
  credential: Credential = { kind: 'session_token', value: 't' },
  timeoutMs = 2_000,
) {
  const { ory, client } = await against(respond, timeoutMs);
  const log = new RecordingLog();
  const verifier = createKratosVerifier({
    keep: (session) => session,
    kratosUrl: ory.url,
    client,
    clock: Date.now,
    log: new ThrottledLog(log, Date.now),
  });
  return { verification: await verifier.verify(credential), ory, log };
}

describe('what arrives at Kratos', () => {
  test.each([
    [{ kind: 'session_cookie', value: 'ory_kratos_session=c' }, 'cookie: ory_kratos_session=c'],
    [{ kind: 'session_token', value: 'ory_st_x' }, 'x-session-token: ory_st_x'],
  ] as const)('is one GET with one credential, alone', async (credential, line) => {
    const { ory } = await verify((socket) => socket.write(raw(200, SESSION)), credential);
    const [head = ''] = ory.heads;
    const [first, ...headers] = head.split('\r\n');
    expect(ory.heads).toHaveLength(1);
    expect(first).toBe('GET /sessions/whoami HTTP/1.1');
    expect(headers.toSorted()).toEqual(
      [
        line,
        `host: ${ory.url.slice(7)}`,
        'connection: keep-alive',
        'accept: application/json',
        'user-agent: ory-envoy',
      ].toSorted(),
    );
  });

  test('a redirect is not followed', async () => {
    const { verification, ory } = await verify((socket) => socket.write(raw(302, SESSION, { location: '/elsewhere' })));
    expect(verification).toMatchObject({ kind: 'unavailable', reason: 'ory_error' });
    expect(ory.heads).toHaveLength(1);
  });
});

describe('what arrives at Hydra', () => {
  async function introspect(value: string, apiKey?: string) {
    const { ory, client } = await against((socket) => socket.write(raw(200, '{"active":false}')));
    const verifier = createIntrospectionVerifier({
      url: `${ory.url}/admin/oauth2/introspect`,
      apiKey,
      issuer: 'https://issuer.example/',
      clockSkewMs: 0,
      client,
      clock: Date.now,
      log: new ThrottledLog(new RecordingLog(), Date.now),
    });
    await verifier.verify({ kind: 'access_token', value });
    return ory;
  }

  test.each([undefined, 'ory_pat_key'])('is one POST with the token, alone, and the API key %s', async (apiKey) => {
    const ory = await introspect('ory_at_x', apiKey);
    expect([ory.heads.length, ory.bodies]).toEqual([1, ['token=ory_at_x']]);
    const [first, ...headers] = (ory.heads[0] ?? '').split('\r\n');
    expect(first).toBe('POST /admin/oauth2/introspect HTTP/1.1');
    expect(headers.toSorted()).toEqual(
      [
        ...(apiKey === undefined ? [] : ['authorization: Bearer ory_pat_key']),
        `host: ${ory.url.slice(7)}`,
        'connection: keep-alive',
        'content-type: application/x-www-form-urlencoded',
        'content-length: 14',
        'accept: application/json',
        'user-agent: ory-envoy',
      ].toSorted(),
    );
  });

  test('is the token that came, byte for byte, and no other member of the form', async () => {
    const value = 'a+b/c~d-e_f==';
    const [body = ''] = (await introspect(value)).bodies;
    expect([...new URLSearchParams(body)]).toEqual([['token', value]]);
  });
});

describe('an answer that is not one', () => {
  const unreachable = { kind: 'unavailable', reason: 'ory_unreachable' };
  test.each<[string, Respond, object, number?]>([
    ['garbage in HTTP’s place', (socket) => socket.end('SSH-2.0-OpenSSH\r\n\r\n'), unreachable],
    [
      'a body that is cut off',
      (socket) => socket.end(`HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n${SESSION}`),
      unreachable,
    ],
    [
      'chunks that are cut off',
      (socket) =>
        socket.end(
          `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${SESSION.length.toString(16)}\r\n${SESSION}\r\n`,
        ),
      unreachable,
    ],
    [
      'a body without end',
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        const chunk = 'x'.repeat(65_536);
        const more = (): void => {
          while (!socket.destroyed && socket.write(chunk));
          if (!socket.destroyed) socket.once('drain', more);
        };
        more();
      },
      unreachable,
    ],
    [
      'a body that never comes',
      (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{'),
      unreachable,
      150,
    ],
    ['silence', () => {}, unreachable, 150],
    ['a reset', (socket) => socket.resetAndDestroy(), unreachable],
    ['a closed door', (socket) => socket.end(), unreachable],
    ['a head that is too large', (socket) => socket.write(raw(200, SESSION, { x: 'y'.repeat(100_000) })), unreachable],
    [
      'gzip that was not asked for',
      (socket) => socket.write(raw(200, '\x1f\x8b', { 'content-encoding': 'gzip' })),
      { kind: 'unavailable', reason: 'ory_error' },
    ],
  ])('%s is an outage, logged with the endpoint', async (_, respond, expected, timeoutMs = 3_000) => {
    const { verification, log, ory } = await verify(respond, { kind: 'session_token', value: 'canary' }, timeoutMs);
    expect(verification).toMatchObject(expected);
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { endpoint: `${ory.url}/sessions/whoami` } }]);
    expect(log.text).not.toContain('canary');
  });

  test('a port that nobody listens on is an outage', async () => {
    const { ory, client } = await against(() => {});
    await ory.close();
    expect(await client.get(`${ory.url}/sessions/whoami`, {})).toEqual({ kind: 'none', cause: 'ECONNREFUSED' });
  });

  test('a session that is larger than a mebibyte is not read to its end', async () => {
    const session = SESSION.replace('{', `{"padding":"${'x'.repeat(1_048_576)}",`);
    const { client, ory } = await against((socket) => socket.write(raw(200, session)));
    const answer = await client.get(`${ory.url}/sessions/whoami`, {});
    expect(answer).toEqual({ kind: 'none', cause: 'UND_ERR_RES_EXCEEDED_MAX_SIZE' });
  });

  test('silence is told apart from a refusal in the log', async () => {
    const { client, ory } = await against(() => {}, 100);
    const answer = await client.get(`${ory.url}/sessions/whoami`, {});
    expect(answer).toMatchObject({
      kind: 'none',
      cause: expect.stringMatching(/TimeoutError|UND_ERR_HEADERS_TIMEOUT/),
    });
  });

  test('a kept connection that Ory has closed is not an outage', async () => {
    let answered = 0;
    const { client, ory } = await against((socket) => {
      // The second request of a connection finds it closed.
      if (answered++ === 1) socket.resetAndDestroy();
      else socket.write(raw(200, SESSION));
    });
    for (let i = 0; i < 2; i++)
      expect(await client.get(`${ory.url}/a`, {})).toMatchObject({ kind: 'answer', status: 200 });
    expect(ory.heads).toHaveLength(3);
  });

  test('a kept connection that Hydra has closed is not an outage: the question is sent once more, to its end', async () => {
    let answered = 0;
    const { client, ory } = await against((socket) => {
      if (answered++ === 1) socket.resetAndDestroy();
      else socket.write(raw(200, '{"active":false}'));
    });
    for (const token of ['one', 'two'])
      expect(await client.ask(`${ory.url}/a`, { token }, {})).toMatchObject({ kind: 'answer', status: 200 });
    expect(ory.bodies).toEqual(['token=one', 'token=two', 'token=two']);
  });

  test('a server that closes every connection is asked twice, and no more', async () => {
    const { client, ory } = await against((socket) => socket.resetAndDestroy());
    expect(await client.ask(`${ory.url}/a`, { token: 't' }, {})).toMatchObject({ kind: 'none' });
    expect(ory.heads).toHaveLength(2);
  });

  test('an address that is none is an answer, not a crash', async () => {
    const { client } = await against(() => {});
    expect(await client.get('nonsense', {})).toMatchObject({ kind: 'none' });
    expect(await client.get('http://127.0.0.1:1/', { 'x\r\ny': '1' })).toMatchObject({ kind: 'none' });
    expect(await client.get('http://127.0.0.1:1/', { x: 'a\r\nb: c' })).toMatchObject({ kind: 'none' });
  });

  test('with too many calls under way, further ones are answered at once', async () => {
    const { client, ory } = await against(() => {});
    const hanging = Array.from({ length: 2_048 }, () => client.get(`${ory.url}/`, {}));
    expect(await client.get(`${ory.url}/`, {})).toEqual({ kind: 'none', cause: 'too many calls under way' });
    const other = await rawOry((socket) => socket.write(raw(200, '{}')));
    open.push(() => other.close());
    expect(await client.ask(`${other.url}/`, {}, {}), 'another server').toMatchObject({ kind: 'answer' });
    await client.close();
    await ory.close();
    for (const one of await Promise.all(hanging)) expect(one.kind).toBe('none');
  });
});
