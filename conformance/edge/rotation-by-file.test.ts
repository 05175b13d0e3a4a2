// Signing keys are rotated in the real Hydra, and the old ones deleted, while requests run and Envoy has its keys by file:
// nobody is refused before a deletion, nobody with a deleted key is let in after it, and Envoy follows in milliseconds.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RealOry } from '../ory/ory.ts';
import { startRealOry } from '../ory/real.ts';
import { until } from '../until.ts';
import { makeKey, sign } from './attacks/scripted-ory.ts';
import { send } from './rig/client.ts';
import { type CountingProxy, startCountingProxy } from './rig/counting-proxy.ts';
import { type Edge, startEdge } from './rig/edge.ts';
import { AUDIENCE, policy } from './rig/policy.ts';

const ROUNDS = 5;
const PAUSE_MS = 4;
const JWKS = '/.well-known/jwks.json';
/** The authorizer looks by itself so often, and a little more passes until it sees. */
const LOOK_MS = 15_000;
/** An unknown kid makes it look at once, and not again so soon. */
const COOLDOWN_MS = 2_100;
/** Where 50 ms are wanted: this machine has other things to do. */
const MOST_MS = 1_000;

let ory: RealOry;
let hydra: CountingProxy;
let edge: Edge;
/** The answers that the authorizer has had from Hydra, whole, and when. */
const seen: { readonly keys: string; readonly atMs: number }[] = [];

beforeAll(async () => {
  ory = await startRealOry();
  hydra = await startCountingProxy(ory.hydra.publicUrl, (path, keys) => {
    if (path === JWKS) seen.push({ keys, atMs: Date.now() });
  });
});
afterEach(() => edge?.close());
afterAll(async () => {
  await hydra?.close();
  await ory?.close();
});

/** One request, its key and who decided it, as Envoy has logged it. */
interface Decided {
  readonly kid: string;
  readonly status: number;
  readonly by: string;
  /** Since the epoch. */
  readonly atMs: number;
}

/** Follows Envoy's access log. */
class Decisions {
  readonly all: Decided[] = [];
  #read = 0;

  /** Those of a key. */
  of(kid: string): Decided[] {
    const log = edge.envoyLog();
    const end = log.lastIndexOf('\n') + 1;
    for (const text of log.slice(this.#read, end).split('\n')) {
      if (!text.startsWith('{')) continue;
      const { path, status, decided_by, start_time } = JSON.parse(text);
      const [, , of = ''] = path.split('/');
      this.all.push({ kid: of, status, by: decided_by, atMs: Date.parse(start_time) });
    }
    this.#read = end;
    return this.all.filter((one) => one.kid === kid);
  }
}

const kidOf = (token: string): string => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;
const get = async (token: string) =>
  (
    await send(edge.url, 'HTTP/1.1', {
      path: `/api/${kidOf(token)}`,
      headers: [['Authorization', `Bearer ${token}`]],
    })
  ).status;

/** Asks every few milliseconds with each token in turn, until told to end. */
function asking(tokens: readonly string[]): { stop(): Promise<number> } {
  const under: Promise<unknown>[] = [];
  const timer = setInterval(() => {
    under.push(get(tokens[under.length % tokens.length] ?? ''));
  }, PAUSE_MS);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(under);
      return under.length;
    },
  };
}

/** When the authorizer has seen keys of which `is` says so, since it had seen `count` answers. */
async function seenAt(what: string, count: number, is: (keys: string) => boolean): Promise<number> {
  const found = () => seen.slice(count).find(({ keys }) => is(keys));
  await until(what, () => found() !== undefined, LOOK_MS);
  return found()?.atMs ?? Number.NaN;
}

/** Signed with a key that nobody knows: the authorizer looks for it. */
async function strangersToken(): Promise<string> {
  return sign(await makeKey('ES256', 'nobodys'), {
    iss: ory.hydra.issuer,
    client_id: 'nobody',
    exp: Math.floor(Date.now() / 1_000) + 60,
  });
}

async function cooledDown(): Promise<void> {
  const end = Date.now() + COOLDOWN_MS;
  await until('a kid may be asked for again', () => Date.now() > end);
}

async function removeKey(kid: string): Promise<void> {
  const url = `${ory.hydra.adminUrl}/admin/keys/hydra.jwt.access-token/${kid}`;
  expect((await fetch(url, { method: 'DELETE' })).status).toBe(204);
}

describe.each([1, 2])('with %i worker processes', (workers) => {
  it('a rotation refuses nobody, a deleted key lets nobody in, and Envoy has either as soon as the authorizer', async () => {
    edge = await startEdge(
      { ...policy(ory, { hydraUrl: hydra.url }), tokens: { audiences: [AUDIENCE] } },
      'http',
      undefined,
      { workers, byFile: true },
    );
    const token = () => ory.accessToken({ audience: [AUDIENCE] });
    const decisions = new Decisions();
    const becomesNative = (kid: string) =>
      until('Envoy says yes by itself', () => decisions.of(kid).some(({ by }) => by === 'native'));
    const tokens = [await token()];
    const load = asking(tokens);
    const rounds: { readonly kid: string; readonly newAt: number; goneAt?: number }[] = [];
    let asked = 0;
    try {
      await becomesNative(kidOf(tokens[0] ?? ''));
      rounds.push({ kid: kidOf(tokens[0] ?? ''), newAt: Number.NaN });
      for (let round = 0; round < ROUNDS; round++) {
        await cooledDown();
        let answers = seen.length;
        await ory.rotateKey();
        const fresh = await token();
        const kid = kidOf(fresh);
        tokens.push(fresh);
        // Found by the check that did not know it, or by the next look at the issuer.
        const newAt = await seenAt('the authorizer sees the new key', answers, (keys) => keys.includes(kid));
        rounds.push({ kid, newAt });
        await becomesNative(kid);

        const gone = rounds[round];
        const old = tokens[0] ?? '';
        if (!gone) throw new Error('no round');
        answers = seen.length;
        await removeKey(gone.kid);
        // The first time the authorizer looks by itself: 10 s at most.
        if (round > 0) await cooledDown();
        const unknown = round > 0 ? get(await strangersToken()) : Promise.resolve(401);
        gone.goneAt = await seenAt(
          'the authorizer sees that a key is gone',
          answers,
          (keys) => !keys.includes(gone.kid),
        );
        expect(await unknown).toBe(401);
        await until('it is refused', async () => (await get(old)) === 401, MOST_MS);
        tokens.shift();
        // By every worker.
        expect(new Set(await Promise.all(Array.from({ length: 8 }, () => get(old))))).toEqual(new Set([401]));
      }
    } finally {
      asked = await load.stop();
    }
    await until('all are logged', () => {
      decisions.of('');
      return decisions.all.length >= asked;
    });

    const took = rounds.slice(1).map(({ kid, newAt }) => {
      const first = decisions.of(kid).find(({ by }) => by === 'native');
      return (first?.atMs ?? Number.NaN) - newAt;
    });
    const last = rounds.slice(0, -1).map(({ kid, goneAt = Number.NaN }) => {
      const yes = decisions.of(kid).filter(({ status }) => status === 200);
      return Math.max(0, ...yes.map(({ atMs }) => atMs - goneAt));
    });
    inTime(`${workers} workers, Envoy's own yes by a new key of Hydra`, took);
    inTime(`${workers} workers, the last yes by a deleted key of Hydra`, last);
    for (const { kid, goneAt = Number.POSITIVE_INFINITY } of rounds) {
      const before = decisions.of(kid).filter(({ atMs }) => atMs < goneAt);
      expect(before.length).toBeGreaterThan(100);
      expect(before.filter(({ status }) => status !== 200)).toEqual([]);
    }
  }, 120_000);
});

/** Generous: the figures are for the reader. */
function inTime(what: string, took: readonly number[]): void {
  const sorted = took.toSorted((one, other) => one - other);
  const median = sorted[Math.floor(sorted.length / 2)];
  process.stdout.write(`${what}: after ${took.join(', ')} ms (median ${median}, at most ${sorted.at(-1)})\n`);
  for (const ms of took) expect(ms).toBeLessThan(MOST_MS);
}
