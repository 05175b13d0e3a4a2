// What is remembered under one policy of `up` is nothing under the next, also where the rule keeps its name.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../../until.ts';
import { outcome } from '../attacks/rig.ts';
import { type ScriptedOry, startScriptedOry } from '../attacks/scripted-ory.ts';
import { type App, startApp } from '../rig/app.ts';
import { counter } from '../rig/counter.ts';
import { type UpFile, type UpProcess, type UpRig, upFile, upRig } from '../rig/up-process.ts';
import { session, token } from './rig.ts';

let rig: UpRig;
let file: UpFile;
let one: UpProcess;
let app: App;
let ory: ScriptedOry;

beforeEach(async () => {
  rig = upRig();
  [app, ory, file] = [await startApp('app'), await startScriptedOry(), await upFile(rig.dir)];
});
afterEach(async () => {
  await rig.close();
  await Promise.all([app.close(), ory.close()]);
});

const ask = (value: string) => outcome({ url: file.url }, 'HTTP/1.1', '/x', token(value));
const applied = () => one.events().filter(({ event }) => event === 'applied').length;
const asked = () => counter({ adminUrl: file.adminUrl }, 'http.edge.lua.edge_cache.misses').catch(() => 0);

async function write(requirement: object, more: object = {}): Promise<void> {
  const content = {
    ory: { kratos: { public_url: ory.url } },
    cache: { ttl: '10m', edge_ttl: '10m' },
    identity_headers: { 'X-User-Id': ['session.identity.id'] },
    rules: [{ name: 'all', match: { path: '/**' }, require: { session: requirement } }],
    edge: { upstream: app.url },
    ...more,
  };
  if (!one) {
    file.write(content);
    return;
  }
  const before = applied();
  file.write(content);
  await until('it is in force', () => applied() > before, 40_000);
}

it('a yes of the old policy is none of the new one', async () => {
  await write({});
  one = rig.up(['-c', file.file, '--json']);
  await one.isUp();
  const value = session({ ory }, 'ada');
  const remembered = () =>
    until('every worker remembers it', async () => {
      const before = await asked();
      for (let i = 0; i < 12; i++) expect(await ask(value)).toBe('200 ada /x');
      return (await asked()) === before;
    });
  await remembered();
  // The same rule asks for more.
  await write({ aal: 'aal2' });
  for (let i = 0; i < 12; i++) expect(await ask(value)).toBe('403 aal_insufficient');
  await write({});
  await remembered();
  // The same rule, and the identity is another.
  await write({}, { identity_headers: { 'X-User-Id': ['session.id'] } });
  for (let i = 0; i < 12; i++) expect(await ask(value)).toBe(`200 ${value} /x`);
  // Another Kratos, which does not know it.
  await write({}, { ory: { kratos: { public_url: 'http://127.0.0.1:9' } } });
  for (let i = 0; i < 12; i++) expect(await ask(value)).toBe('503 ory_unreachable');
  // And without an edge cache nothing is remembered at all.
  await write({}, { cache: { ttl: '0s', edge_ttl: '0s' } });
  expect(await ask(value)).toBe('200 ada /x');
  ory.revoke(value);
  expect(await ask(value)).toBe('401 session_invalid');
}, 180_000);
