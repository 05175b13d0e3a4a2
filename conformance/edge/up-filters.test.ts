// The filters that Envoy reads from files under `up`: keys and script are the authorizer's, a revocation is in force with its
// answer, and neither the end of a part nor a changed policy leaves Envoy with a filter that is not its own.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../until.ts';
import { claimsOf, type ScriptedOry, sign, startScriptedOry } from './attacks/scripted-ory.ts';
import { type App, startApp } from './rig/app.ts';
import { send } from './rig/client.ts';
import { ADMIN_TOKEN, postRevoke } from './rig/revoke.ts';
import { type UpFile, type UpProcess, type UpRig, upFile, upRig } from './rig/up-process.ts';

let rig: UpRig;
let file: UpFile;
let one: UpProcess;
let app: App;
let ory: ScriptedOry;
let marks = 0;

beforeEach(async () => {
  rig = upRig();
  app = await startApp('app');
  ory = await startScriptedOry();
  file = await upFile(rig.dir);
  file.write(policy());
  one = rig.up(['-c', file.file, '--json']);
  await one.isUp();
});
afterEach(async () => {
  await rig.close();
  await app.close();
  await ory.close();
});

const policy = (change: object = {}) => ({
  ory: { kratos: { public_url: ory.url }, hydra: { public_url: ory.url, issuer: ory.issuer }, timeout: '1s' },
  tokens: { audiences: ['https://api.test'], clock_skew: '5s' },
  identity_headers: { 'X-User-Id': ['session.identity.id', 'token.sub'] },
  rules: [
    { name: 'api', match: { path: '/api/**' }, require: { token: {} } },
    { name: 'app', match: { path: '/**' }, require: { session: {} } },
  ],
  edge: { upstream: app.url },
  serve: { admin_token: ADMIN_TOKEN },
  ...change,
});

/** What came of one request, and who decided it. */
async function ask(credential: readonly [string, string], under = '/app'): Promise<readonly [unknown, unknown]> {
  const path = `${under}/m${marks++}`;
  await send(file.url, 'HTTP/1.1', { path, headers: [credential] });
  const logged = () => one.events().find(({ data }) => data?.['path'] === path)?.data;
  await until('the request is logged', () => logged() !== undefined);
  return [logged()?.['status'], logged()?.['decided_by']];
}

async function becomes(credential: readonly [string, string], by: string, under?: string): Promise<void> {
  await until(`it is decided by ${by}`, async () => {
    const [status, who] = await ask(credential, under);
    return status === 200 && who === by;
  });
}

const folder = () => {
  const name = rig.folders().find((one) => one.startsWith('ory-envoy-filters-')) ?? '';
  return join(rig.dir, 'tmp', name);
};
const names = () => readdirSync(folder()).toSorted();

async function kill(part: string): Promise<void> {
  const pid = one.pidOf(part);
  process.kill(pid, 'SIGKILL');
  await until(`${part} is a new process`, () => one.pidOf(part) !== pid);
}

it('a revocation is in force with its answer, and the end of a part changes nothing about keys and memory', async () => {
  const session = ['X-Session-Token', 'ada'] as const;
  const bearer = ['Authorization', `Bearer ${await sign(ory.es256, claimsOf(ory))}`] as const;
  ory.session('ada', 'ada');
  expect(statSync(folder()).mode & 0o777).toBe(0o700);
  await becomes(bearer, 'native', '/api');
  await becomes(session, 'edge-cache');

  // The authorizer comes back without an hour's silence of Envoy: what Envoy has stays.
  const before = names();
  await kill('authorizer');
  await becomes(session, 'edge-cache');
  await becomes(bearer, 'native', '/api');
  expect(names()).toEqual(before);

  await kill('envoy');
  await becomes(bearer, 'native', '/api');
  await becomes(session, 'edge-cache');

  ory.revoke('ada');
  const adminUrl = `http://127.0.0.1:${file.ports[3]}`;
  const answered = await postRevoke({ adminUrl }, { all: true });
  expect(answered).toMatchObject({ status: 200, body: { edge_caches: 'emptied' } });
  expect(await ask(session)).toEqual([401, 'authorizer']);
});

it('a policy of other settings has files of its own, and those of the one before go once its requests are over', async () => {
  const bearer = ['Authorization', `Bearer ${await sign(ory.es256, claimsOf(ory))}`] as const;
  await becomes(bearer, 'native', '/api');
  const before = names();
  file.write(policy({ cache: { edge_ttl: '7s' }, tokens: { audiences: ['https://other.test'], clock_skew: '5s' } }));
  await until('it is in force', () => one.events().some(({ event }) => event === 'applied'));
  expect(names()).toHaveLength(4);
  expect(await ask(bearer, '/api')).toEqual([401, 'authorizer']);
  const other = await sign(ory.es256, claimsOf(ory, { aud: ['https://other.test'] }));
  await becomes(['Authorization', `Bearer ${other}`], 'native', '/api');
  await until('those of before are gone', () => names().length === 2, 40_000);
  expect(names().filter((name) => before.includes(name))).toEqual([]);
  await kill('envoy');
  await becomes(['Authorization', `Bearer ${other}`], 'native', '/api');
}, 90_000);
