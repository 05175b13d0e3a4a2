// POST /revoke: who may, what it takes, what it answers, what it logs.
import { afterEach, describe, expect, test } from 'vitest';
import type { Revocation } from '../check/identity/cache/revocations.ts';
import { RecordingLog } from '../check/testing/recording-log.ts';
import type { Revoked } from '../server/edge-caches.ts';
import { PushError } from '../server/edge-caches.ts';
import { dial, exchange } from '../server/testing/raw-client.ts';
import { type AdminListener, listenAdmin } from './admin.ts';

const TOKEN = 'canary-admin-token-0123456789';
const SESSION = '8d7c1a52-0b0f-4f6e-9a57-1f2f6f0f0c11';
const BEARER = `authorization: Bearer ${TOKEN}`;
const NOT_READ = { status: 'ok', edge_caches: 'emptied', remembered_for_ms: 0 };

const open: AdminListener[] = [];
afterEach(async () => {
  for (const listener of open.splice(0)) await listener.close();
});

interface RigOptions {
  readonly token?: string | undefined;
  readonly answer?: (revocation: Revocation) => Promise<Revoked> | undefined;
  readonly requestMs?: number;
}

async function rig(options: RigOptions = {}) {
  const { answer = async () => ({ edgeCaches: 'emptied', rememberedForMs: 0 }), requestMs } = options;
  const log = new RecordingLog();
  const revoked: Revocation[] = [];
  const listener = await listenAdmin(
    { host: '127.0.0.1', port: 0 },
    {
      ready: () => true,
      revoke: {
        token: () => ('token' in options ? options.token : TOKEN),
        revoke: (revocation) => {
          revoked.push(revocation);
          return answer(revocation);
        },
        log,
      },
      ...(requestMs === undefined ? {} : { requestMs }),
    },
  );
  open.push(listener);
  const send = async (body: string, headers: readonly string[] = [BEARER], line = 'POST /revoke') => {
    const bytes = Buffer.from(body).toString('latin1');
    const lines = [`${line} HTTP/1.1`, 'host: a', 'connection: close', `content-length: ${bytes.length}`, ...headers];
    return read(await exchange(listener.address, `${lines.join('\r\n')}\r\n\r\n${bytes}`));
  };
  return { address: listener.address, log, revoked, send };
}

function read(answer: string) {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  return { status: head.slice(9, 12), head, body: body === '' ? {} : (JSON.parse(body) as Record<string, unknown>) };
}

describe('what it takes', () => {
  test.each<[string, Revocation]>([
    [`{"session":"${SESSION}"}`, { kind: 'session', id: SESSION }],
    [`{\n   "session": "${SESSION.toUpperCase()}"\n}\n`, { kind: 'session', id: SESSION.toUpperCase() }],
    [`{"identity":"${SESSION}"}`, { kind: 'identity', id: SESSION }],
    ['{"identity":"a client, or Zoë"}', { kind: 'identity', id: 'a client, or Zoë' }],
    ['{"all":true}', { kind: 'all' }],
  ])('takes %s', async (body, revocation) => {
    const { send, revoked } = await rig();
    expect(await send(body)).toMatchObject({ status: '200', body: NOT_READ });
    expect(revoked).toEqual([revocation]);
  });

  test.each([
    ['no type', []],
    ['another case of Bearer', [], BEARER.replace('Bearer', 'bearer')],
    [
      'what Kratos sends',
      ['content-type: application/json', 'user-agent: Go-http-client/1.1', 'accept-encoding: gzip'],
    ],
    ['a charset', ['content-type: application/json; charset=utf-8']],
  ])('takes a request with %s', async (_, headers, bearer = BEARER) => {
    const { send } = await rig();
    expect((await send('{"all":true}', [bearer, ...headers])).status).toBe('200');
  });

  test('takes a body in chunks', async () => {
    const { address, revoked } = await rig();
    const bytes = `POST /revoke?x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${BEARER}\r\ntransfer-encoding: chunked\r\n\r\n7\r\n{"all":\r\n5\r\ntrue}\r\n0\r\n\r\n`;
    expect(read(await exchange(address, bytes)).status).toBe('200');
    expect(revoked).toEqual([{ kind: 'all' }]);
  });

  test.each([
    ['', 'not JSON'],
    ['all', 'not JSON'],
    ['session=x', 'not JSON'],
    ['{"all":true', 'not JSON'],
    ['\u{1f600}', 'not JSON'],
    ['null', 'not an object'],
    ['[{"all":true}]', 'not an object'],
    ['"all"', 'not an object'],
    ['{}', '0 members'],
    [`{"session":"${SESSION}","all":true}`, '2 members'],
    [`{"session":"${SESSION}","reason":"x"}`, '2 members'],
    ['{"everything":true}', 'not known'],
    ['{"__proto__":true}', 'not known'],
    ['{"Session":"x"}', 'not known'],
    ['{"all":"true"}', '"all" is not true'],
    ['{"all":false}', '"all" is not true'],
    ['{"session":""}', 'not its token or cookie'],
    ['{"session":null}', 'not its token or cookie'],
    ['{"session":"ory_st_canary"}', 'not its token or cookie'],
    [`{"session":" ${SESSION}"}`, 'not its token or cookie'],
    [`{"session":["${SESSION}"]}`, 'not its token or cookie'],
    ['{"identity":""}', 'not an id'],
    ['{"identity":" a"}', 'not an id'],
    ['{"identity":"a\\n"}', 'not an id'],
    ['{"identity":"a\\u0000b"}', 'not an id'],
    ['{"identity":"\\ud800"}', 'not an id'],
    ['{"identity":7}', 'not an id'],
    [`{"identity":"${'a'.repeat(513)}"}`, 'not an id'],
  ])('refuses %s with 400', async (body, problem) => {
    const { send, revoked } = await rig();
    const answer = await send(body);
    expect([answer.status, answer.body['status']]).toEqual(['400', 'refused']);
    expect(answer.body['problem']).toContain(problem);
    expect(answer.body['problem']).not.toContain('canary');
    expect(revoked).toEqual([]);
  });

  test('bytes that are no text are refused with 400', async () => {
    const { address } = await rig();
    const body = '{"identity":"\xff"}';
    const head = `POST /revoke HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${BEARER}\r\ncontent-length: ${body.length}\r\n\r\n`;
    expect(read(await exchange(address, head + body)).status).toBe('400');
  });
});

describe('who may', () => {
  const NOBODY = [
    ['nobody', []],
    ['an empty token', ['authorization: Bearer ']],
    ['another token', ['authorization: Bearer canary-admin-token-012345678X']],
    ['its beginning', [BEARER.slice(0, -1)]],
    ['more than it', [`${BEARER}0`]],
    ['another case of it', [`authorization: Bearer ${TOKEN.toUpperCase()}`]],
    ['it without a scheme', [`authorization: ${TOKEN}`]],
    ['it as Basic', [`authorization: Basic ${Buffer.from(`:${TOKEN}`).toString('base64')}`]],
    ['it after another', ['authorization: Bearer x', BEARER]],
    ['it before another', [BEARER, 'authorization: Bearer x']],
    ['two in one line', [`${BEARER}, Bearer x`]],
    ['it in another header', [`x-api-key: ${TOKEN}`]],
  ] as const;

  test.each(NOBODY)('%s is answered with 401, whatever the body', async (_, headers) => {
    const { send, revoked, log } = await rig();
    for (const body of ['{"all":true}', 'x'.repeat(9_000)]) {
      const answer = await send(body, headers);
      expect(answer.status).toBe('401');
      expect(answer.head).toMatch(/\r\nwww-authenticate: Bearer realm="ory-envoy admin"\r\n/i);
      expect(answer.head).not.toMatch(/access-control/i);
    }
    expect(revoked).toEqual([]);
    expect(log.text).not.toMatch(/canary/i);
    expect(log.text).toContain('a revocation was refused');
  });

  test('nobody is told of, or waited for, in the body: the answer comes before it', async () => {
    const { address } = await rig();
    const client = await dial(address);
    client.socket.write('POST /revoke HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n');
    expect(read(await client.ended).status).toBe('401');
  });

  test.each(['nobody', 'somebody'])(
    'without serve.admin_token %s may, and the answer says how to change that',
    async (who) => {
      const { send, revoked } = await rig({ token: undefined });
      for (const bearer of ['authorization: Bearer ', 'authorization: Bearer undefined', BEARER]) {
        const answer = await send('{"all":true}', who === 'nobody' ? [] : [bearer]);
        expect(answer.status).toBe('403');
        expect(answer.body['problem']).toContain('Set serve.admin_token');
      }
      expect(revoked).toEqual([]);
    },
  );

  test('a page of another origin is given no leave to ask', async () => {
    const { send, revoked } = await rig();
    const preflight = await send(
      '',
      [
        'origin: https://evil.example',
        'access-control-request-method: POST',
        'access-control-request-headers: authorization',
      ],
      'OPTIONS /revoke',
    );
    expect([preflight.status, preflight.head]).toEqual(['405', expect.not.stringMatching(/access-control/i)]);
    const simple = await send('{"all":true}', ['origin: https://evil.example', 'content-type: text/plain']);
    expect(simple.status).toBe('401');
    expect(revoked).toEqual([]);
  });
});

describe('what it answers', () => {
  test.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])(
    '%s is answered with 405, which names POST',
    async (method) => {
      const { send, revoked } = await rig();
      const answer = await send('', [BEARER], `${method} /revoke`);
      expect(answer.status).toBe('405');
      expect(answer.head).toMatch(/\r\nallow: POST\r\n/i);
      expect(revoked).toEqual([]);
    },
  );

  test.each(['/revoke/', '/Revoke', '//revoke', '/%72evoke'])('%s is not the path: 404', async (path) => {
    const { send } = await rig();
    expect((await send('{"all":true}', [BEARER], `POST ${path}`)).status).toBe('404');
  });

  test('a large body is answered with 413, said beforehand or not', async () => {
    const { address, send, revoked } = await rig();
    expect((await send(`{"identity":"${'a'.repeat(4_096)}"}`)).status).toBe('413');
    const client = await dial(address);
    client.socket.write(`POST /revoke HTTP/1.1\r\nhost: a\r\n${BEARER}\r\ntransfer-encoding: chunked\r\n\r\n`);
    client.socket.write(`1001\r\n${'a'.repeat(0x1001)}\r\n`);
    expect(read(await client.ended).status).toBe('413');
    expect(revoked).toEqual([]);
  });

  test('a slow body is answered with 408, and the connection is gone', async () => {
    const { address, revoked } = await rig({ requestMs: 200 });
    const client = await dial(address);
    client.socket.write(`POST /revoke HTTP/1.1\r\nhost: a\r\n${BEARER}\r\ncontent-length: 12\r\n\r\n{"all"`);
    expect((await client.ended).slice(9, 12)).toBe('408');
    expect(revoked).toEqual([]);
  });

  test('a client that goes away in the middle of its body leaves nothing', async () => {
    const { address, send, revoked } = await rig();
    const client = await dial(address);
    client.socket.write(`POST /revoke HTTP/1.1\r\nhost: a\r\n${BEARER}\r\ncontent-length: 12\r\n\r\n{"all"`);
    client.socket.destroy();
    await client.ended;
    expect((await send('{"all":true}')).status).toBe('200');
    expect(revoked.length).toBe(1);
  });

  test('without an Envoy that is fed, the answer says for how long one may still remember', async () => {
    const { send } = await rig({ answer: async () => ({ edgeCaches: 'none', rememberedForMs: 30_000 }) });
    expect(await send('{"all":true}')).toMatchObject({
      status: '200',
      body: { status: 'ok', edge_caches: 'none', remembered_for_ms: 30_000 },
    });
  });

  test('a push that Envoy did not take is answered with 503, so that Kratos tries again', async () => {
    const { send, log } = await rig({ answer: () => Promise.reject(new PushError('Envoy refused it')) });
    const answer = await send(`{"session":"${SESSION}"}`);
    expect(answer).toMatchObject({ status: '503', body: { status: 'failed' } });
    expect(answer.body['problem']).toContain('Envoy refused it');
    expect(answer.head).toMatch(/\r\nretry-after: 1\r\n/i);
    expect(log.text).toContain('could not be emptied');
  });

  test('a fault of its own is answered with 503, and nothing of it is said', async () => {
    const { send, log } = await rig({ answer: () => Promise.reject(new Error(`canary ${SESSION}`)) });
    const answer = await send(`{"session":"${SESSION}"}`);
    expect(answer.status).toBe('503');
    expect(JSON.stringify(answer.body) + log.text).not.toMatch(new RegExp(`canary|${SESSION}`));
  });

  test('before the authorizer runs, the answer is 503', async () => {
    const { send } = await rig({ answer: () => undefined });
    expect(await send('{"all":true}')).toMatchObject({ status: '503', body: { status: 'failed' } });
  });

  test('the log has no token and no id', async () => {
    const { send, log } = await rig();
    await send(`{"session":"${SESSION}"}`);
    await send('{"identity":"canary"}');
    expect(log.lines.map(({ message }) => message)).toEqual(['revoked', 'revoked']);
    expect(log.text).not.toMatch(new RegExp(`canary|${SESSION}`));
  });
});
