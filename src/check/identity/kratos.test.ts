// What each answer of Kratos leads to, with a client that is a stub.
import { describe, expect, test } from 'vitest';
import { ThrottledLog } from '../log.ts';
import { RecordingLog } from '../testing/recording-log.ts';
import { TurnedClock } from '../testing/turned-clock.ts';
import { createKratosVerifier } from './kratos.ts';
import type { NoAnswer, OryAnswer } from './ory-client.ts';

const clock = new TurnedClock();
const at = (ms: number) => new Date(clock.now + ms).toISOString();
const IDENTITY = { id: 'i', state: 'active', traits: { email: 'a@b.c' } };
const SESSION = { id: 's', active: true, expires_at: at(60_000), identity: IDENTITY };
const CREDENTIAL = { kind: 'session_token', value: 'canary-token' } as const;

function answer(status: number, body: unknown, headers: Record<string, string[]> = {}): OryAnswer {
  return {
    kind: 'answer',
    status,
    header: (name) => headers[name] ?? [],
    body: typeof body === 'string' ? body : JSON.stringify(body),
  };
}

async function verify(given: OryAnswer | NoAnswer) {
  const log = new RecordingLog();
  const verifier = createKratosVerifier({
    keep: (session) => session,
    kratosUrl: 'http://kratos',
    client: { get: async () => given },
    clock: clock.read,
    log: new ThrottledLog(log, clock.read),
  });
  const verification = await verifier.verify(CREDENTIAL);
  expect(log.text).not.toContain('canary-token');
  return { verification, log };
}

describe('a yes', () => {
  test('is 200 with an active session that has an active identity', async () => {
    const { verification } = await verify(answer(200, SESSION));
    expect(verification).toEqual({
      kind: 'verified',
      identity: { kind: 'session', session: SESSION, expiresAtMs: clock.now + 60_000 },
      cacheForMs: undefined,
      setCookie: [],
    });
  });

  test('may come without expiry and without a state', async () => {
    const { verification } = await verify(answer(200, { id: 's', active: true, identity: { id: 'i' } }));
    expect(verification).toMatchObject({ kind: 'verified', identity: { expiresAtMs: undefined } });
  });

  test.each([
    ['30', 30_000],
    ['0', 0],
    ['-1', 0],
    ['1.5', 0],
    ['x', 0],
    ['', 0],
  ])('with Ory-Session-Cache-For: %j may be remembered for %d ms', async (text, cacheForMs) => {
    const { verification } = await verify(answer(200, SESSION, { 'ory-session-cache-for': [text] }));
    expect(verification).toMatchObject({ cacheForMs });
  });

  test('hands on every Set-Cookie', async () => {
    const { verification } = await verify(answer(200, SESSION, { 'set-cookie': ['a=1', 'b=2'] }));
    expect(verification).toMatchObject({ setCookie: ['a=1', 'b=2'] });
  });
});

describe('a session that is none', () => {
  test.each([
    ['not active', { ...SESSION, active: false }],
    ['expired', { ...SESSION, expires_at: at(-1) }],
    ['expired this very millisecond', { ...SESSION, expires_at: at(0) }],
    ['of year one', { ...SESSION, expires_at: '0001-01-01T00:00:00Z' }],
    ['without identity', { ...SESSION, identity: null }],
    ['with no identity at all', { id: 's', active: true }],
    ['of an inactive identity', { ...SESSION, identity: { ...IDENTITY, state: 'inactive' } }],
    ['of an identity in an unknown state', { ...SESSION, identity: { ...IDENTITY, state: 7 } }],
  ])('%s is refused, and not as Ory’s own no', async (_, body) => {
    expect((await verify(answer(200, body))).verification).toEqual({
      kind: 'rejected',
      reason: 'session_invalid',
      ory: false,
    });
  });

  test.each([
    ['no JSON', '<html>'],
    ['nothing', ''],
    ['half a session', JSON.stringify(SESSION).slice(0, -2)],
    ['a list', [SESSION]],
    ['null', 'null'],
    ['a word', '"session"'],
    ['no id', { ...SESSION, id: undefined }],
    ['a number as id', { ...SESSION, id: 1 }],
    ['active missing', { ...SESSION, active: undefined }],
    ['active as text', { ...SESSION, active: 'true' }],
    ['active as a number', { ...SESSION, active: 1 }],
    ['an expiry that is no time', { ...SESSION, expires_at: 'soon' }],
    ['an expiry as a number', { ...SESSION, expires_at: 9_999_999_999_999 }],
    ['an identity that is a list', { ...SESSION, identity: [IDENTITY] }],
    ['an identity that is text', { ...SESSION, identity: 'i' }],
    ['an identity without id', { ...SESSION, identity: { state: 'active' } }],
    ['an identity with an empty id', { ...SESSION, identity: { id: '' } }],
    ['an identity whose id is a number', { ...SESSION, identity: { id: 1 } }],
    ['depth', `{"id":"s","active":true,"identity":${'['.repeat(100_000)}`],
  ])('200 with %s is an error of Ory, and logged with the endpoint', async (_, body) => {
    const { verification, log } = await verify(answer(200, body));
    expect(verification).toEqual({ kind: 'unavailable', reason: 'ory_error', retryAfterSeconds: undefined });
    expect(log.lines).toMatchObject([
      { level: 'warn', fields: { endpoint: 'http://kratos/sessions/whoami', reason: 'ory_error' } },
    ]);
  });
});

describe('a no, and an outage', () => {
  test.each([
    ['401', answer(401, { error: { code: 401 } }), { kind: 'rejected', reason: 'session_invalid', ory: true }],
    ['401 without a body', answer(401, ''), { kind: 'rejected', reason: 'session_invalid', ory: true }],
    [
      '403 for want of a second factor',
      answer(403, { error: { id: 'session_aal2_required' } }),
      { kind: 'rejected', reason: 'aal_insufficient', ory: false },
    ],
    [
      '403 that says where a second factor is given',
      answer(403, { error: { id: 'session_aal2_required' }, redirect_browser_to: 'https://k.example/login?aal=aal2' }),
      { kind: 'rejected', reason: 'aal_insufficient', ory: false, remedyUrl: 'https://k.example/login?aal=aal2' },
    ],
    ...[
      'javascript:alert(1)',
      '//evil.example',
      'https://k.example/a b',
      'https://',
      'https://k.example/\r\nx: y',
      7,
      null,
    ].map((url): [string, ReturnType<typeof answer>, object] => [
      `403 that sends a browser to ${JSON.stringify(url)}`,
      answer(403, { error: { id: 'session_aal2_required' }, redirect_browser_to: url }),
      { kind: 'rejected', reason: 'aal_insufficient', ory: false },
    ]),
    [
      '403 for another cause',
      answer(403, { error: { id: 'security_csrf_violation' } }),
      { kind: 'unavailable', reason: 'ory_error' },
    ],
    ['403 of a proxy', answer(403, '<html>'), { kind: 'unavailable', reason: 'ory_error' }],
    ['404', answer(404, ''), { kind: 'unavailable', reason: 'ory_error' }],
    ['400', answer(400, ''), { kind: 'unavailable', reason: 'ory_error' }],
    ['429', answer(429, ''), { kind: 'unavailable', reason: 'ory_rate_limited', retryAfterSeconds: undefined }],
    [
      '429 with Retry-After',
      answer(429, '', { 'retry-after': ['7'] }),
      { kind: 'unavailable', reason: 'ory_rate_limited', retryAfterSeconds: 7 },
    ],
    ['429 with Ory Network’s header', answer(429, '', { 'x-ratelimit-reset': ['3'] }), { retryAfterSeconds: 3 }],
    [
      '429 with a date',
      answer(429, '', { 'retry-after': ['Wed, 21 Oct 2026 07:28:00 GMT'] }),
      { retryAfterSeconds: undefined },
    ],
    ['500', answer(500, ''), { kind: 'unavailable', reason: 'ory_error' }],
    [
      '500 that carries an identity',
      answer(500, SESSION, { 'x-kratos-authenticated-identity-id': ['i'], 'ory-session-cache-for': ['60'] }),
      { kind: 'unavailable', reason: 'ory_error' },
    ],
    ['503', answer(503, SESSION), { kind: 'unavailable', reason: 'ory_error' }],
    ['a redirect', answer(302, SESSION), { kind: 'unavailable', reason: 'ory_error' }],
    ['201', answer(201, SESSION), { kind: 'unavailable', reason: 'ory_error' }],
    ['204', answer(204, ''), { kind: 'unavailable', reason: 'ory_error' }],
    ['206', answer(206, SESSION), { kind: 'unavailable', reason: 'ory_error' }],
    ['no answer', { kind: 'none', cause: 'ECONNREFUSED' } as const, { kind: 'unavailable', reason: 'ory_unreachable' }],
  ])('%s', async (_, given, expected) => {
    expect((await verify(given)).verification).toMatchObject(expected);
  });

  test('an outage is logged once a second, with the count of the rest', async () => {
    const log = new RecordingLog();
    const own = new TurnedClock();
    const verifier = createKratosVerifier({
      keep: (session) => session,
      kratosUrl: 'http://kratos',
      client: { get: async () => ({ kind: 'none', cause: 'x' }) },
      clock: own.read,
      log: new ThrottledLog(log, own.read),
    });
    for (let i = 0; i < 10; i++) await verifier.verify(CREDENTIAL);
    own.now += 1_000;
    await verifier.verify(CREDENTIAL);
    expect(log.lines.map(({ fields }) => (fields as { suppressed?: number }).suppressed)).toEqual([undefined, 9]);
  });
});
