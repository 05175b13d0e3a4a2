// Keys that reach Envoy by file: a new one is live and a removed one is dead as soon as the authorizer has seen it, Envoy has
// no key that the authorizer would not use, and no key makes Envoy refuse a token by itself.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../until.ts';
import { fileFor } from './attacks/rig.ts';
import { claimsOf, type Key, makeKey, type ScriptedOry, sign, startScriptedOry } from './attacks/scripted-ory.ts';
import { send } from './rig/client.ts';
import { counter } from './rig/counter.ts';
import { type FedEdge, startFedEdge } from './rig/fed-edge.ts';

const ROUNDS = 8;
const MOST_MS = 50;
const PAUSE_MS = 4;
const COOLDOWN_MS = 2_100;

let ory: ScriptedOry;
let edge: FedEdge;
let marks = 0;

beforeAll(async () => {
  ory = await startScriptedOry();
  edge = await startFedEdge(file(ory));
});
afterAll(async () => {
  await edge?.close();
  await ory?.close();
});

function file(one: ScriptedOry) {
  return fileFor(one, {
    tokens: { audiences: ['https://api.test'], clock_skew: '5s' },
    identity_headers: { 'X-User-Id': ['session.identity.id', 'token.sub'] },
  });
}

const token = (key: Key) => sign(key, claimsOf(ory, { jti: `${marks++}` }));

interface Decided {
  readonly status: number;
  readonly by: string;
  /** Since the epoch. */
  readonly atMs: number;
}

/** One request, and who decided it. */
async function ask(value: string, on = edge): Promise<Decided> {
  const path = `/api/m${marks++}`;
  await send(on.url, 'HTTP/1.1', { path, headers: [['Authorization', `Bearer ${value}`]] });
  await until('the request is logged', () => on.accessLog.some((line) => line.path === path));
  const line = on.accessLog.find((one) => one.path === path);
  if (!line) throw new Error('not logged');
  return { status: line.status, by: line.decided_by, atMs: Date.parse(line.start_time) };
}

const native = async (value: string, on = edge) => (await ask(value, on)).by === 'native';

/** When the authorizer sees other keys. */
function nextChange(): Promise<number> {
  return new Promise((resolve) => {
    let told = 0;
    const end = edge.authorizer.keysOf(edge.config)?.watch(() => {
      // What is there already is told at once.
      if (++told < 2) return;
      resolve(Date.now());
      end?.();
    });
  });
}

/** The authorizer asks the issuer for a kid that it does not know, and not again so soon. */
async function cooledDown(): Promise<void> {
  const end = Date.now() + COOLDOWN_MS;
  await until('a kid may be asked for again', () => Date.now() > end);
}

/** Asks every few milliseconds until told to end. */
function asking(value: string): { stop(): Promise<Decided[]> } {
  const paths: string[] = [];
  const under: Promise<unknown>[] = [];
  const timer = setInterval(() => {
    const path = `/api/m${marks++}`;
    paths.push(path);
    under.push(send(edge.url, 'HTTP/1.1', { path, headers: [['Authorization', `Bearer ${value}`]] }));
  }, PAUSE_MS);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(under);
      const wanted = new Set(paths);
      const lines = () => edge.accessLog.filter(({ path }) => wanted.has(path));
      await until('all are logged', () => lines().length === wanted.size);
      return lines()
        .map((line) => ({ status: line.status, by: line.decided_by, atMs: Date.parse(line.start_time) }))
        .sort((one, other) => one.atMs - other.atMs);
    },
  };
}

describe('a key', () => {
  it(`that is new is live within ${MOST_MS} ms of the authorizer seeing it, and nobody is refused`, async () => {
    const took: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const key = await makeKey(i % 2 === 0 ? 'ES256' : 'RS256', `new-${i}`);
      const value = await token(key);
      const changed = nextChange();
      ory.keys.push(key.jwk);
      // The first of them brings a kid that the authorizer does not know.
      const load = asking(value);
      const seenAt = await changed;
      await until('Envoy says yes by itself', () => native(value));
      const all = await load.stop();
      expect(all.filter(({ status }) => status !== 200)).toEqual([]);
      took.push((all.find(({ by }) => by === 'native')?.atMs ?? Number.NaN) - seenAt);
      await cooledDown();
    }
    inTime('a new key is live', took);
  }, 120_000);

  it(`that is removed is dead within ${MOST_MS} ms of the authorizer seeing it, with what was cached under it`, async () => {
    const took: number[] = [];
    for (let i = 0; i < ROUNDS / 2; i++) {
      const key = await makeKey(i % 2 === 0 ? 'ES256' : 'RS256', `old-${i}`);
      const [value, another] = [await token(key), await token(key)];
      ory.keys.push(key.jwk);
      await ask(value);
      await until('Envoy says yes by itself', () => native(value));
      await cooledDown();
      const load = asking(value);
      const before = await counterOf('jwt_cache_hit');
      await until('it is cached', async () => (await counterOf('jwt_cache_hit')) > before + 20);
      const changed = nextChange();
      ory.keys.splice(ory.keys.indexOf(key.jwk), 1);
      // Somebody's kid that nobody knows: the authorizer looks.
      const unknown = ask(await token(await makeKey('ES256', `nobody-${i}`)));
      const seenAt = await changed;
      await until('it is refused', async () => (await ask(value)).status === 401);
      expect((await unknown).status).toBe(401);
      const all = await load.stop();
      const last = all.findLast(({ status }) => status === 200)?.atMs ?? Number.NaN;
      took.push(Math.max(0, last - seenAt));
      expect((await ask(another)).status).toBe(401);
      await cooledDown();
    }
    inTime('the last yes by a removed key', took);
  }, 180_000);

  it('is asked about where it is none for Envoy: short, for encryption, or one of two with its kid', async () => {
    const [weak, enc, one, two] = await Promise.all([
      makeKey('RS256', 'weak'),
      makeKey('ES256', 'enc'),
      makeKey('ES256', 'twin'),
      makeKey('RS256', 'twin'),
    ]);
    const next = await makeKey('ES256', 'good');
    ory.keys.push({ ...weak.jwk, n: Buffer.alloc(128, 0xff).toString('base64url') });
    ory.keys.push({ ...enc.jwk, use: 'enc' }, one.jwk, two.jwk, next.jwk);
    expect((await ask(await token(next))).status).toBe(200);
    await until('Envoy has the keys', async () => native(await token(next)));
    expect(await ask(await token(weak))).toMatchObject({ status: 401, by: 'authorizer' });
    expect(await ask(await token(enc))).toMatchObject({ status: 401, by: 'authorizer' });
    // Of two types, the authorizer tells which is meant.
    expect(await ask(await token(one))).toMatchObject({ status: 200, by: 'authorizer' });
    expect(await ask(await token(two))).toMatchObject({ status: 200, by: 'authorizer' });
    const held = await readFile(join(edge.folder, await fileNamed('jwt-authn')), 'utf8');
    for (const kid of ['weak', 'enc', 'twin']) expect(held).not.toContain(`\\"${kid}\\"`);
    expect(held).toContain('\\"good\\"');
  });

  it('is cached no longer than it is valid', async () => {
    const skew = edge.config.tokens?.clockSkewMs ?? 0;
    const exp = Math.floor(Date.now() / 1_000) + 2;
    const value = await sign(ory.rs256, claimsOf(ory, { jti: `${marks++}`, exp }));
    let last = 0;
    await until('it has ended', async () => {
      const { status, atMs } = await ask(value);
      if (status === 200) last = atMs;
      return status === 401;
    });
    // A request before the last was the cache's to answer; the end is that of the configuration, to the second.
    expect(await counterOf('jwt_cache_hit')).toBeGreaterThan(0);
    expect(last).toBeLessThan(exp * 1_000 + skew);
  }, 30_000);
});

describe('the folder', () => {
  it('is for its owner alone, and so is every file, of which Envoy holds the last', async () => {
    expect((await stat(edge.folder)).mode & 0o777).toBe(0o700);
    const names = await readdir(edge.folder);
    expect(names.toSorted().map((name) => name.replace(/[\da-f]{12}/, 'x'))).toEqual([
      'edge-cache-x.json',
      'jwt-authn-x.json',
    ]);
    for (const name of names) expect((await stat(join(edge.folder, name))).mode & 0o777).toBe(0o600);
  });
});

it('an issuer that is silent at the start means that the authorizer is asked, until its keys are there', async () => {
  const silent = await startScriptedOry();
  silent.before = (_, response) => {
    response.writeHead(500).end();
    return true;
  };
  const late = await startFedEdge(file(silent));
  try {
    const value = await sign(silent.rs256, claimsOf(silent));
    expect(await ask(value, late)).toMatchObject({ status: 503, by: 'authorizer' });
    silent.before = undefined;
    await until('Envoy says yes by itself', () => native(value, late));
    // No key that Envoy takes is left.
    silent.keys.splice(0);
    await until('Envoy asks', async () => (await ask(value, late)).by === 'authorizer', 30_000);
    expect((await ask(value, late)).status).toBe(401);
  } finally {
    await late.close();
    await silent.close();
  }
}, 60_000);

async function fileNamed(start: string): Promise<string> {
  return (await readdir(edge.folder)).find((name) => name.startsWith(start)) ?? '';
}

function counterOf(name: string): Promise<number> {
  return counter(edge.envoy(), `http.edge.jwt_authn.ory.${name}`);
}

/** The median counts: this machine has other things to do. */
function inTime(what: string, took: readonly number[]): void {
  const median = took.toSorted((one, other) => one - other)[Math.floor(took.length / 2)];
  process.stdout.write(`${what} after ${took.join(', ')} ms (median ${median})\n`);
  expect(median).toBeLessThanOrEqual(MOST_MS);
  for (const ms of took) expect(ms).toBeLessThan(1_000);
}
