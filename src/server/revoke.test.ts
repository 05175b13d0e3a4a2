// A revocation in the authorizer: every policy forgets, then the edge caches are emptied.
import { afterEach, expect, test } from 'vitest';
import { type RawOry, raw, rawOry } from '../check/testing/raw-ory.ts';
import { RecordingLog } from '../check/testing/recording-log.ts';
import { parseConfig } from '../config/load.ts';
import { type Authorizer, startAuthorizer } from './authorizer.ts';
import { type EdgeCaches, PushError } from './edge-caches.ts';
import { exchange } from './testing/raw-client.ts';

const SESSION = JSON.stringify({ id: 's', active: true, identity: { id: 'user-1' } });
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const config = (ory: RawOry, cache: string) =>
  parseConfig(
    `ory: { url: "${ory.url}", timeout: 1s }\nedge: { upstream: "http://127.0.0.1:3000" }
serve: { http: "127.0.0.1:0", grpc: "127.0.0.1:0" }\ncache: ${cache}
rules: [{ name: guarded, match: { path: "/**" }, require: { session: {} } }]\n`,
    'f',
    { env: {} },
  );

async function rig(edgeCaches?: EdgeCaches) {
  const ory = await rawOry((socket) => socket.write(raw(200, SESSION)));
  const one = config(ory, '{ ttl: 60s, edge_ttl: 30s }');
  const authorizer = await startAuthorizer(one, { log: new RecordingLog(), ...(edgeCaches ? { edgeCaches } : {}) });
  ends.push(
    () => authorizer.close(100),
    () => ory.close(),
  );
  const whoamis = () => ory.heads.filter((head) => head.includes('/sessions/whoami')).length;
  return { ory, one, authorizer, whoamis };
}

async function ask(authorizer: Authorizer, policy?: string): Promise<string> {
  const named = policy === undefined ? '' : `ory-policy: ${policy}\r\n`;
  const answer = await exchange(
    authorizer.http,
    `GET /p HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-session-token: t\r\n${named}\r\n`,
  );
  return answer.slice(9, 12);
}

test.each([{ kind: 'session', id: 's' }, { kind: 'identity', id: 'user-1' }, { kind: 'all' }] as const)(
  'every policy forgets, whatever it is called: %j',
  async (revocation) => {
    const { ory, one, authorizer, whoamis } = await rig();
    authorizer.reconfigure(one, new Map([['other', config(ory, '{ ttl: 30s }')]]));
    const both = async () => [await ask(authorizer), await ask(authorizer, 'other')];
    expect([await both(), await both(), whoamis()]).toEqual([['200', '200'], ['200', '200'], 2]);
    await authorizer.revoke(revocation);
    expect([await both(), whoamis()]).toEqual([['200', '200'], 4]);
  },
);

test('nobody else is forgotten', async () => {
  const { authorizer, whoamis } = await rig();
  await ask(authorizer);
  await authorizer.revoke({ kind: 'session', id: 'user-1' });
  await authorizer.revoke({ kind: 'identity', id: 's' });
  expect([await ask(authorizer), whoamis()]).toEqual(['200', 1]);
});

test('without an Envoy that it feeds, it says for how long one may remember: the longest of its policies', async () => {
  const { ory, one, authorizer } = await rig();
  const forgotten = () => authorizer.revoke({ kind: 'all' });
  expect(await forgotten()).toEqual({ edgeCaches: 'none', rememberedForMs: 30_000 });
  authorizer.reconfigure(config(ory, '{ edge_ttl: 0s }'));
  expect(await forgotten()).toEqual({ edgeCaches: 'none', rememberedForMs: 0 });
  authorizer.reconfigure(config(ory, '{ edge_ttl: 0s }'), new Map([['other', one]]));
  expect(await forgotten()).toEqual({ edgeCaches: 'none', rememberedForMs: 30_000 });
  authorizer.reconfigure(config(ory, '{ ttl: 10s, edge_ttl: 30s }'));
  expect(await forgotten()).toEqual({ edgeCaches: 'none', rememberedForMs: 10_000 });
});

test('the edge caches are emptied when the identity cache has forgotten, not before', async () => {
  const seen: string[] = [];
  const edgeCaches: EdgeCaches = {
    fed: 1,
    // What an emptied edge cache does at once.
    async empty() {
      const before = whoamis();
      await ask(authorizer);
      seen.push(whoamis() > before ? 'asked Ory' : 'went by what was remembered');
    },
  };
  const { authorizer, whoamis } = await rig(edgeCaches);
  await ask(authorizer);
  expect(await authorizer.revoke({ kind: 'session', id: 's' })).toEqual({ edgeCaches: 'emptied', rememberedForMs: 0 });
  expect(seen).toEqual(['asked Ory']);
});

test('a push that Envoy did not take is an error, and the identity cache has forgotten all the same', async () => {
  const edgeCaches: EdgeCaches = { fed: 1, empty: () => Promise.reject(new PushError('not taken')) };
  const { authorizer, whoamis } = await rig(edgeCaches);
  await ask(authorizer);
  await expect(authorizer.revoke({ kind: 'session', id: 's' })).rejects.toThrow(PushError);
  expect([await ask(authorizer), whoamis()]).toEqual(['200', 2]);
});
