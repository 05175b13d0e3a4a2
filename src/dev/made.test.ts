// Credentials made to order: they are what was ordered, and only this machine can order them.
import { request } from 'node:http';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type DevOry, startDevOry } from './ory.ts';

let ory: DevOry;
let nowMs: number;
beforeEach(async () => {
  nowMs = Date.parse('2030-01-01T00:00:00Z');
  ory = await startDevOry({ port: 0, audience: [], clock: () => nowMs });
});
afterEach(() => ory.close());

async function order(what: string, body: unknown, type = 'application/json') {
  const response = await fetch(`${ory.url}/admin/development/${what}`, {
    method: 'POST',
    headers: { 'content-type': type },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, string> };
}

const whoami = (headers: Record<string, string>) => fetch(`${ory.url}/sessions/whoami`, { headers });
const SESSION = { id: 's', active: true, expires_at: '2030-01-01T00:01:00Z', identity: { id: 'ada', traits: {} } };

test('a session is what whoami answers with, in each place where a session is presented', async () => {
  const { status, body } = await order('sessions', SESSION);
  expect(status).toBe(201);
  for (const headers of [
    { 'x-session-token': body['session_token'] ?? '' },
    { authorization: `Bearer ${body['session_token']}` },
    { cookie: `ory_kratos_session=${body['session_cookie']}` },
  ])
    expect(await (await whoami(headers)).json()).toEqual(SESSION);
});

test.each([
  ['is not active', { ...SESSION, active: false }],
  ['does not say that it is', { ...SESSION, active: undefined }],
  ['has expired', { ...SESSION, expires_at: '2030-01-01T00:00:00Z' }],
  ['is of somebody inactive', { ...SESSION, identity: { state: 'inactive' } }],
])('a session that %s is none', async (_, session) => {
  const { body } = await order('sessions', session);
  expect((await whoami({ 'x-session-token': body['session_token'] ?? '' })).status).toBe(401);
});

test('a session ends when its time comes', async () => {
  const { body } = await order('sessions', SESSION);
  nowMs += 59_000;
  expect((await whoami({ 'x-session-token': body['session_token'] ?? '' })).status).toBe(200);
  nowMs += 1_000;
  expect((await whoami({ 'x-session-token': body['session_token'] ?? '' })).status).toBe(401);
});

test('a session made to order is nobody’s: it opens no account', async () => {
  const { body } = await order('sessions', { ...SESSION, identity: { id: ory.users[0]?.id } });
  const headers = { 'x-session-token': body['session_token'] ?? '' };
  expect((await fetch(`${ory.url}/sessions`, { headers })).status).toBe(401);
  expect((await fetch(`${ory.url}/self-service/settings/api`, { headers })).status).toBe(401);
});

test('a token has the claims that were ordered, and no others', async () => {
  const claims = { iss: 'https://other', exp: 1, aud: 5, sub: null };
  const { status, body } = await order('tokens', claims);
  expect(status).toBe(201);
  const keys = createLocalJWKSet((await (await fetch(`${ory.url}/.well-known/jwks.json`)).json()) as never);
  const { payload } = await jwtVerify(body['access_token'] ?? '', keys, { currentDate: new Date(0) });
  expect(payload).toEqual(claims);
});

test('an opaque token is what introspection answers with, its scopes as one text, until it ends', async () => {
  const exp = nowMs / 1_000 + 60;
  const { status, body } = await order('opaque-tokens', { sub: 'shop', scp: ['a', 'b'], exp });
  expect([status, body['access_token']]).toEqual([201, expect.stringMatching(/^ory_at_/)]);
  const introspect = async () => {
    const form = new URLSearchParams({ token: body['access_token'] ?? '' });
    return (await fetch(`${ory.url}/admin/oauth2/introspect`, { method: 'POST', body: form })).json();
  };
  expect(await introspect()).toEqual({ active: true, token_use: 'access_token', scope: 'a b', sub: 'shop', exp });
  nowMs += 60_000;
  expect(await introspect()).toEqual({ active: false });
});

test.each(['sessions', 'tokens', 'opaque-tokens'])('%s are made of a JSON object alone, sent as one', async (what) => {
  expect((await order(what, [])).status).toBe(400);
  expect((await order(what, SESSION, 'text/plain')).status).toBe(400);
});

test.each(['sessions', 'tokens', 'opaque-tokens'])(
  '%s are not made for a name that was made to point here',
  async (what) => {
    const { port } = new URL(ory.url);
    const status = await new Promise<number>((resolve, reject) => {
      const outgoing = request({
        host: '127.0.0.1',
        port,
        path: `/admin/development/${what}`,
        method: 'POST',
        headers: { host: `evil.example:${port}`, 'content-type': 'application/json', 'content-length': 2 },
      });
      outgoing.on('response', (response) => resolve(response.resume().statusCode ?? 0));
      outgoing.on('error', reject);
      outgoing.end('{}');
    });
    expect(status).toBe(403);
  },
);
