// Policies that change under an open listener: which one judges a check, and what it remembers.
import { afterEach, expect, test } from 'vitest';
import { type RawOry, raw, rawOry } from '../check/testing/raw-ory.ts';
import { RecordingLog } from '../check/testing/recording-log.ts';
import { parseConfig } from '../config/load.ts';
import { type Authorizer, startAuthorizer } from './authorizer.ts';
import { exchange } from './testing/raw-client.ts';

const SESSION = JSON.stringify({ id: 's', active: true, identity: { id: 'user-1' } });
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const config = (ory: RawOry, rules: string, more = '') =>
  parseConfig(
    `ory: { url: "${ory.url}", timeout: 1s }\nedge: { upstream: "http://127.0.0.1:3000" }\nserve: { http: "127.0.0.1:0" }\n${more}\nrules: ${rules}\n`,
    'f',
    { env: {} },
  );
const OPEN = '[{ name: open, match: { path: "/**" }, allow: anyone }]';
const GUARDED = '[{ name: guarded, match: { path: "/**" }, require: { session: {} } }]';

async function rig() {
  const ory = await rawOry((socket) => socket.write(raw(200, SESSION)));
  const open = config(ory, OPEN);
  const guarded = config(ory, GUARDED);
  const log = new RecordingLog();
  const authorizer = await startAuthorizer(open, { log });
  ends.push(
    () => authorizer.close(100),
    () => ory.close(),
  );
  return { ory, open, guarded, log, authorizer };
}

async function ask(authorizer: Authorizer, headers: readonly string[] = []): Promise<string> {
  const lines = headers.map((one) => `${one}\r\n`).join('');
  const answer = await exchange(authorizer.http, `GET /p HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${lines}\r\n`);
  return `${answer.split(' ')[1]} ${/ory-reason: (\w+)/.exec(answer)?.[1]}`;
}

test('a check is judged by the policy that it names, and by the current one where it names none', async () => {
  const { open, guarded, authorizer } = await rig();
  authorizer.reconfigure(
    guarded,
    new Map([
      ['old', open],
      ['new', guarded],
    ]),
  );
  expect(await ask(authorizer)).toBe('401 credential_missing');
  expect(await ask(authorizer, ['ory-policy: old'])).toBe('200 anonymous');
  expect(await ask(authorizer, ['ory-policy: new'])).toBe('401 credential_missing');
});

test('a check that names a policy which is not known, or no longer, is denied and logged', async () => {
  const { open, authorizer, log } = await rig();
  authorizer.reconfigure(open, new Map([['one', open]]));
  expect(await ask(authorizer, ['ory-policy: one'])).toBe('200 anonymous');
  authorizer.reconfigure(open);
  expect(await ask(authorizer, ['ory-policy: one'])).toBe('503 internal_error');
  expect(await ask(authorizer, ['ory-policy: '])).toBe('503 internal_error');
  expect(JSON.stringify(log)).toContain('names a policy that is not known here');
});

test('what is remembered of a session stays while Ory is asked in the same way, and goes where it is not', async () => {
  const { ory, guarded, authorizer } = await rig();
  const whoami = () => ory.heads.filter((head) => head.includes('/sessions/whoami')).length;
  authorizer.reconfigure(guarded);
  expect(await ask(authorizer, ['x-session-token: a'])).toBe('200 session');
  authorizer.reconfigure(config(ory, GUARDED.replace('guarded', 'other')));
  expect(await ask(authorizer, ['x-session-token: a'])).toBe('200 session');
  expect(whoami()).toBe(1);
  authorizer.reconfigure(config(ory, GUARDED, 'cache: { ttl: 30s }'));
  expect(await ask(authorizer, ['x-session-token: a'])).toBe('200 session');
  expect(whoami()).toBe(2);
});

test('identity headers that read something else of a session ask about it anew, and have it', async () => {
  const { ory, guarded, authorizer } = await rig();
  const request = 'GET /p HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-session-token: a\r\n\r\n';
  authorizer.reconfigure(guarded);
  expect(await exchange(authorizer.http, request)).toContain('x-user-id: user-1');
  authorizer.reconfigure(config(ory, GUARDED, 'identity_headers: { X-Alive: [session.active] }'));
  expect(await exchange(authorizer.http, request)).toContain('x-alive: true');
});

test('another place to ask about opaque tokens, or another key for it, is another way of asking', async () => {
  const ory = await rawOry((socket) => socket.write(raw(200, '{"active":true,"token_use":"access_token","sub":"u"}')));
  const api = (more: string) =>
    parseConfig(
      `ory: { url: "${ory.url}", timeout: 1s${more} }\nedge: { upstream: "http://127.0.0.1:3000" }
serve: { http: "127.0.0.1:0", grpc: "127.0.0.1:0" }\ntokens: { any_audience: true }
rules: [{ name: api, match: { path: "/**" }, require: { token: {} } }]\n`,
      'f',
      { env: {} },
    );
  const asked = () => ory.heads.filter((head) => head.startsWith('POST ')).length;
  const authorizer = await startAuthorizer(api(', api_key: one'), { log: new RecordingLog() });
  ends.push(
    () => authorizer.close(100),
    () => ory.close(),
  );
  const token = () => ask(authorizer, ['authorization: Bearer opaque']);
  expect([await token(), await token(), asked()]).toEqual(['200 token', '200 token', 1]);
  authorizer.reconfigure(api(', api_key: two'));
  expect([await token(), asked()]).toEqual(['200 token', 2]);
  expect(ory.heads.at(-1)).toContain('authorization: Bearer two');
  authorizer.reconfigure(api(`, api_key: two, hydra: { admin_url: "${ory.url}/other" }`));
  expect([await token(), asked()]).toEqual(['200 token', 3]);
  expect(ory.heads.at(-1)).toMatch(/^POST \/other\/admin\/oauth2\/introspect /);
  authorizer.reconfigure(api(''));
  expect([await token(), asked()]).toEqual(['401 token_kind_wrong', 3]);
});
