// Verdicts as Envoy's gRPC ext_authz gets them: what is set, what is removed, what the client is told.
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../config/load.ts';
import type { Identity, JsonObject } from '../identity/identity.ts';
import { DENIALS, type DenyReason } from '../reason.ts';
import { CheckResponseSchema } from '../testing/ext_authz_pb.ts';
import { wireAnswer } from '../testing/grpc-wire.ts';
import { RecordingLog } from '../testing/recording-log.ts';
import { request } from '../testing/request.ts';
import { type Allow, deny, type Remember, type Verdict } from '../verdict.ts';
import { createGrpcWriter } from './grpc.ts';

const config = parseConfig(
  `ory: { url: https://ory.example }
edge: { upstream: "http://127.0.0.1:3000" }
identity_headers: { X-User-Id: [session.identity.id], X_Mail: [session.identity.traits.email], User: [session.id] }
rules: [{ name: app, match: { path: "/**" }, require: { session: {} }, unauthenticated: redirect }]
`,
  'f.yaml',
  { env: {} },
);
const [rule] = config.rules;
if (!rule) throw new Error('no rule');
const log = new RecordingLog();
const write = createGrpcWriter(config, log, () => 0);
const sent = (verdict: Verdict, of = request()) => {
  const bytes = write(of, verdict);
  // Written by hand, and byte for byte as the generated code of the schema would write it.
  expect(Buffer.from(toBinary(CheckResponseSchema, fromBinary(CheckResponseSchema, bytes)))).toEqual(
    Buffer.from(bytes),
  );
  return wireAnswer(bytes);
};

const allow = (session?: JsonObject, setCookie: string[] = []): Allow => {
  const identity: Identity | undefined = session && { kind: 'session', session, expiresAtMs: undefined };
  return { kind: 'allow', reason: session ? 'session' : 'anonymous', rule, identity, setCookie, remember: undefined };
};

describe('a yes', () => {
  test('overwrites each identity header that has a value, and removes the rest in every spelling', () => {
    const answer = sent(allow({ id: 's', identity: { id: 'i', traits: {} } }));
    expect([answer.code, answer.kind]).toEqual([0, 'ok']);
    expect(answer.headers).toEqual([
      { name: 'x-user-id', value: 'i', action: 2 },
      { name: 'user', value: 's', action: 2 },
    ]);
    expect(new Set(answer.remove)).toEqual(
      new Set([
        ...['x-user_id', 'x-user.id', 'x_user-id', 'x_user_id', 'x_user.id', 'x.user-id', 'x.user_id', 'x.user.id'],
        ...['x-mail', 'x_mail', 'x.mail', 'ory-edge-key'],
      ]),
    );
    expect(answer.metadata).toEqual({ 'ory-reason': 'session', 'ory-rule': 'app' });
  });

  test('of anybody sets nothing and removes every name', () => {
    const answer = sent(allow());
    expect(answer.headers).toEqual([]);
    expect(answer.remove).toHaveLength(9 + 3 + 1 + 1);
    expect(answer.metadata).toEqual({ 'ory-reason': 'anonymous', 'ory-rule': 'app' });
  });

  test('tells the edge cache for how long, and as whom, where that is exactly what was looked for', () => {
    const remember: Remember = { credential: { kind: 'session_token', value: 'abc' }, untilMs: 5_000 };
    const verdict: Verdict = { ...allow({ id: 's', identity: { id: 'i' } }), remember };
    const asked = { sessionToken: ['abc'], edgeKey: 'app tabc' };
    const plain = { 'ory-reason': 'session', 'ory-rule': 'app' };
    expect(sent(verdict, request(asked)).metadata).toEqual({
      ...plain,
      'ory-cache-for': '5000',
      'ory-x-user-id': 'i',
      'ory-user': 's',
    });
    for (const change of [{ edgeKey: undefined }, { edgeKey: 'app tab' }, { authorization: [''] }])
      expect(sent(verdict, request({ ...asked, ...change })).metadata).toEqual(plain);
    expect(sent({ ...verdict, remember: { ...remember, untilMs: 0 } }, request(asked)).metadata).toEqual(plain);
    expect(sent({ ...verdict, remember: undefined }, request(asked)).metadata).toEqual(plain);
    expect(sent(deny('session_invalid', rule), request(asked)).metadata).toEqual({
      'ory-reason': 'session_invalid',
      'ory-rule': 'app',
    });
  });

  test('keeps line breaks of an identity inside of its value', () => {
    const { headers } = sent(allow({ id: 's', identity: { id: 'i\r\nx-user-id: admin', traits: { email: 'é\0' } } }));
    expect(headers.map(({ name, value }) => [name, value])).toEqual([
      ['x-user-id', 'i%0D%0Ax-user-id:%20admin'],
      ['x_mail', '%C3%A9%00'],
      ['user', 's'],
    ]);
  });

  test('hands each Set-Cookie to the client, beside those of the application', () => {
    expect(sent(allow({ id: 's' }, ['a=1; Path=/', 'b=2'])).responseHeaders).toEqual([
      { name: 'set-cookie', value: 'a=1; Path=/', action: 0 },
      { name: 'set-cookie', value: 'b=2', action: 0 },
    ]);
  });

  test.each<[string, Verdict]>([
    ['too large', allow({ id: 'x'.repeat(20_000) })],
    ['not a header', allow({ id: 's' }, ['a=\r\nx: y'])],
    ['not UTF-8', allow({ id: 's' }, ['a=\xff'])],
  ])('that is %s becomes a denial', (_, verdict) => {
    const answer = sent(verdict);
    expect([answer.code, answer.kind, answer.httpStatus]).toEqual([14, 'denied', 503]);
    expect(JSON.parse(answer.body)).toMatchObject({ reason: 'internal_error' });
    expect(log.lines.at(-1)).toMatchObject({ level: 'error', fields: { rule: 'app' } });
    expect(log.text).not.toContain('xxxxxxxx');
  });
});

describe('a no', () => {
  const reasons = Object.keys(DENIALS) as DenyReason[];
  test.each(reasons)('for %s has its status whole, its body, and no identity', (reason) => {
    const answer = sent(deny(reason, rule));
    const { status } = DENIALS[reason];
    expect([answer.kind, answer.httpStatus]).toEqual(['denied', status]);
    expect(answer.code).toBe({ 400: 3, 401: 16, 403: 7, 503: 14 }[status]);
    expect(JSON.parse(answer.body)).toMatchObject({ reason, status, request_id: 'r-1' });
    expect(answer.metadata).toEqual({ 'ory-reason': reason, 'ory-rule': 'app' });
    const headers = Object.fromEntries(answer.headers.map(({ name, value }) => [name, value]));
    expect(headers).toMatchObject({ 'content-type': 'application/problem+json', 'cache-control': 'no-store' });
    expect(headers['retry-after']).toBe(status === 503 ? '1' : undefined);
    expect(answer.headers.every(({ action }) => action === 2)).toBe(true);
  });

  test('without a rule names none', () => {
    expect(sent(deny('no_rule')).metadata).toEqual({ 'ory-reason': 'no_rule' });
  });

  test('may be a redirect', () => {
    const answer = sent(deny('credential_missing', rule), request({ accept: 'text/html', path: '/a', query: '?b' }));
    expect([answer.code, answer.httpStatus, answer.body]).toEqual([16, 302, '']);
    expect(answer.headers[0]).toEqual({
      name: 'location',
      value: `https://ory.example/self-service/login/browser?return_to=${encodeURIComponent('http://127.0.0.1:8080/a?b')}`,
      action: 2,
    });
  });
});
