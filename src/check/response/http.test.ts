// Verdicts as Envoy's HTTP ext_authz gets them: what is set, what is removed, what goes by metadata.
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../config/load.ts';
import type { Identity, JsonObject } from '../identity/identity.ts';
import type { CheckRequest } from '../request/check-request.ts';
import { RecordingLog } from '../testing/recording-log.ts';
import { request } from '../testing/request.ts';
import { type Allow, deny, type Remember, type Verdict } from '../verdict.ts';
import { createHttpWriter } from './http.ts';

const config = parseConfig(
  `ory: { url: https://ory.example }
edge: { upstream: "http://127.0.0.1:3000" }
identity_headers: { X-User-Id: [session.identity.id], X_Mail: [session.identity.traits.email], User: [session.id], A-B-C-D-E: [session.none] }
`,
  'f.yaml',
  { env: {} },
);
const [rule] = config.rules;
if (!rule) throw new Error('no rule');
const log = new RecordingLog();
const write = createHttpWriter(config, log, () => 0);

function sent(
  verdict: Verdict,
  { method = 'GET', statusViaMetadata = false, change = {} as Partial<CheckRequest> } = {},
) {
  const chunks: string[] = [];
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  const socket = new Socket();
  socket._write = (chunk, _, done) => {
    chunks.push(String(chunk));
    done();
  };
  response.assignSocket(socket);
  write(response, { request: request({ method, ...change }), statusViaMetadata, hasBody: false }, verdict);
  const [head = '', body = ''] = chunks.join('').split('\r\n\r\n');
  const [first = '', ...lines] = head.split('\r\n');
  const headers = lines.map(
    (line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)] as const,
  );
  return { status: Number(first.split(' ')[1]), headers: new Map(headers), lines: headers, body };
}

const allow = (session?: JsonObject, setCookie: string[] = []): Allow => {
  const identity: Identity | undefined = session && { kind: 'session', session, expiresAtMs: undefined };
  return { kind: 'allow', reason: session ? 'session' : 'anonymous', rule, identity, setCookie, remember: undefined };
};
const removed = (answer: ReturnType<typeof sent>) =>
  answer.headers.get('x-envoy-auth-headers-to-remove')?.split(',') ?? [];

describe('a yes', () => {
  test('sets each identity header that has a value, in lower case, and removes the rest', () => {
    const answer = sent(allow({ id: 's', identity: { id: 'i', traits: {} } }));
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-user-id')).toBe('i');
    expect(answer.headers.get('user')).toBe('s');
    expect(answer.headers.get('ory-rule')).toBe('default');
    expect(answer.headers.get('ory-reason')).toBe('session');
    expect(removed(answer)).not.toContain('x-user-id');
    expect(removed(answer)).not.toContain('user');
    expect(removed(answer)).toEqual(expect.arrayContaining(['x_mail', 'x-mail', 'x.mail', 'a-b-c-d-e']));
  });

  test('of anybody removes every name in every spelling', () => {
    const names = removed(sent(allow()));
    for (const name of [
      'user',
      'x-user-id',
      'x_user_id',
      'x.user.id',
      'x-user_id',
      'x_user-id',
      'x.user_id',
      'x_user.id',
      'x-user.id',
      'x.user-id',
      'x_mail',
      'a_b.c-d_e',
    ]) {
      expect(names).toContain(name);
    }
    expect(new Set(names).size).toBe(names.length);
    expect(names).toHaveLength(9 + 3 + 1 + 81 + 1);
  });

  test('keeps line breaks of an identity inside of its value', () => {
    const answer = sent(allow({ id: 's', identity: { id: 'i\r\nx-user-id: admin', traits: { email: 'é\0' } } }));
    expect(answer.lines.filter(([name]) => name === 'x-user-id')).toEqual([['x-user-id', 'i%0D%0Ax-user-id:%20admin']]);
    expect(answer.headers.get('x_mail')).toBe('%C3%A9%00');
  });

  test('tells the edge cache for how long, and as whom, where that is exactly what was looked for', () => {
    const remember: Remember = { credential: { kind: 'session_token', value: 'abc' }, untilMs: 5_000 };
    const verdict: Verdict = { ...allow({ id: 's', identity: { id: 'i' } }), remember };
    const forEdge = (answer: ReturnType<typeof sent>) =>
      Object.fromEntries(answer.lines.filter(([name]) => name.startsWith('ory-') && !/reason|rule/.test(name)));
    const asked: Partial<CheckRequest> = { sessionToken: ['abc'], edgeKey: 'default tabc' };
    expect(forEdge(sent(verdict, { change: asked }))).toEqual({
      'ory-cache-for': '5000',
      'ory-x-user-id': 'i',
      'ory-user': 's',
    });
    for (const change of [{}, { ...asked, edgeKey: 'default tab' }, { ...asked, authorization: [''] }])
      expect(forEdge(sent(verdict, { change }))).toEqual({});
    expect(forEdge(sent({ ...verdict, remember: { ...remember, untilMs: 0 } }, { change: asked }))).toEqual({});
    expect(forEdge(sent({ ...verdict, remember: undefined }, { change: asked }))).toEqual({});
    expect(forEdge(sent(deny('session_invalid', rule), { change: asked }))).toEqual({});
  });

  test('hands each Set-Cookie on, one line each', () => {
    const answer = sent(allow({ id: 's' }, ['a=1; Path=/', 'b=2']));
    expect(answer.lines.filter(([name]) => name === 'set-cookie').map(([, value]) => value)).toEqual([
      'a=1; Path=/',
      'b=2',
    ]);
  });

  test.each<[string, Verdict]>([
    ['too large', allow({ id: 'x'.repeat(20_000) })],
    ['too deep', allow({ id: JSON.parse(`${'['.repeat(20_000)}${']'.repeat(20_000)}`) as JsonObject })],
    ['not a header', allow({ id: 's' }, ['a=\r\nx: y'])],
  ])('that is %s becomes a denial', (_, verdict) => {
    const answer = sent(verdict);
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body)).toMatchObject({ reason: 'internal_error' });
    expect(log.lines.at(-1)).toMatchObject({ level: 'error', fields: { rule: rule.name } });
    expect(log.text).not.toContain('xxxxxxxx');
    expect(answer.headers.has('x-user-id')).toBe(false);
    expect(answer.headers.has('set-cookie')).toBe(false);
  });
});

describe('a no', () => {
  test('names its reason and rule, and sets no identity', () => {
    const answer = sent(deny('session_invalid', rule));
    expect(answer.status).toBe(401);
    expect(answer.headers.get('ory-reason')).toBe('session_invalid');
    expect(answer.headers.get('ory-rule')).toBe('default');
    expect(answer.headers.get('content-length')).toBe(String(answer.body.length));
    expect(sent(deny('no_rule')).headers.has('ory-rule')).toBe(false);
  });

  test('a 503 goes by metadata only where Envoy asked for it', () => {
    const plain = sent(deny('ory_unreachable', rule));
    expect([plain.status, plain.headers.get('ory-status')]).toEqual([503, undefined]);
    const via = sent(deny('ory_unreachable', rule), { statusViaMetadata: true });
    expect([via.status, via.headers.get('ory-status'), via.headers.get('retry-after')]).toEqual([403, '503', '1']);
    expect(JSON.parse(via.body)).toMatchObject({ status: 503, reason: 'ory_unreachable' });
    const no = sent(deny('session_invalid', rule), { statusViaMetadata: true });
    expect([no.status, no.headers.get('ory-status')]).toEqual([401, undefined]);
  });

  test('to HEAD has the headers and no body', () => {
    const answer = sent(deny('session_invalid', rule), { method: 'HEAD' });
    expect(answer.body).toBe('');
    expect(Number(answer.headers.get('content-length'))).toBeGreaterThan(0);
  });
});
