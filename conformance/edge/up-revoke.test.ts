// Revocation under `up`: its edge cache is emptied, every policy forgets, and the token is that of the file as it is now.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startDevelopmentOry } from '../ory/dev.ts';
import type { Ory } from '../ory/ory.ts';
import { until } from '../until.ts';
import { type App, startApp } from './rig/app.ts';
import { ADMIN_TOKEN, postRevoke } from './rig/revoke.ts';
import { type UpFile, type UpRig, upFile, upRig } from './rig/up-process.ts';

let rig: UpRig;
let file: UpFile;
let app: App;
let ory: Ory;

beforeEach(async () => {
  rig = upRig();
  app = await startApp('app');
  ory = await startDevelopmentOry();
  file = await upFile(rig.dir);
});
afterEach(async () => {
  await rig.close();
  await app.close();
  await ory.close();
});

it('a revoked session is refused by the next request, also after the file changed', async () => {
  const write = (name: string, serve: object) =>
    file.write({
      ory: { kratos: { public_url: ory.kratos.publicUrl } },
      rules: [{ name, match: { path: '/**' }, require: { session: {} } }],
      cache: { ttl: '1h', edge_ttl: '1h', negative_ttl: '0s' },
      edge: { upstream: app.url },
      serve,
    });
  write('one', {});
  const one = rig.up(['-c', file.file, '--json']);
  await one.isUp();
  const person = await ory.createPerson();
  const revoke = (body: object) => postRevoke({ adminUrl: file.authorizerAdminUrl }, body);
  const ask = async (token: string) => (await fetch(`${file.url}/x`, { headers: { 'x-session-token': token } })).status;

  expect(await revoke({ all: true })).toMatchObject({ status: 403 });
  write('two', { admin_token: ADMIN_TOKEN });
  await until('the file is in force', () => one.events().some(({ event }) => event === 'applied'));
  for (let i = 0; i < 3; i++) {
    const session = await ory.login(person);
    for (let request = 0; request < 10; request++) expect(await ask(session.token)).toBe(200);
    await ory.revokeSession(session.id);
    expect(await ask(session.token), 'it is remembered').toBe(200);
    expect(await revoke({ session: session.id })).toMatchObject({ status: 200, body: { edge_caches: 'emptied' } });
    for (let request = 0; request < 10; request++) expect(await ask(session.token)).toBe(401);
  }
});
