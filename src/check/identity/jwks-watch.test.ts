// The keys as they are told to a verifier elsewhere: which of them, and when.
import { beforeAll, describe, expect, test } from 'vitest';
import { hydraClaims, IssuerRig, type Key, makeKey, sign } from '../testing/issuer.ts';

const HOUR = 3_600_000;
const settle = () => new Promise((resolve) => setImmediate(resolve));

let old: Key;
let next: Key;
beforeAll(async () => {
  [old, next] = await Promise.all([makeKey('ES256', 'old'), makeKey('RS256', 'next')]);
});

interface Told {
  readonly keys: readonly Record<string, unknown>[];
}

/** Everything that was told. */
async function watched(rig: IssuerRig) {
  const told: Told[] = [];
  const end = rig.jwks.watch((jwks) => told.push(JSON.parse(jwks)));
  await settle();
  const kids = () => told.map(({ keys }) => keys.map(({ kid }) => kid));
  return { told, kids, end };
}

const tokenOf = (rig: IssuerRig, key: Key) => sign(key, { ...hydraClaims(rig.clock), exp: 1_900_000_000 });

describe('who watches the keys', () => {
  test('is told them once the first fetch has ended, and others whenever they are others', async () => {
    const rig = new IssuerRig([old.jwk]);
    const { kids } = await watched(rig);
    expect(kids()).toEqual([['old']]);
    rig.publish([next.jwk, old.jwk]);
    await rig.ring();
    rig.publish([next.jwk]);
    await rig.ring();
    await rig.ring();
    expect(kids()).toEqual([['old'], ['next', 'old'], ['next']]);
    expect(rig.asked).toHaveLength(4);
  });

  test('is told keys that are there already at once', async () => {
    const rig = new IssuerRig([old.jwk]);
    await rig.jwks.refresh();
    const told: string[] = [];
    rig.jwks.watch((jwks) => told.push(jwks));
    expect(told).toHaveLength(1);
    expect(rig.asked).toHaveLength(1);
  });

  test('is told of no keys where the issuer gave none, and of its keys once it does', async () => {
    const rig = new IssuerRig();
    const { kids } = await watched(rig);
    expect(kids()).toEqual([[]]);
    rig.publish([old.jwk]);
    await rig.ring();
    expect(kids()).toEqual([[], ['old']]);
  });

  test('is told nothing by an answer with the same keys in another text', async () => {
    const rig = new IssuerRig([old.jwk]);
    const { kids } = await watched(rig);
    rig.publish([{ ...old.jwk, x5t: 'other' }]);
    await rig.ring();
    expect(kids()).toEqual([['old']]);
  });

  test('is told of a new key by the check that finds it, without a timer', async () => {
    const rig = new IssuerRig([old.jwk]);
    const { kids } = await watched(rig);
    rig.publish([next.jwk, old.jwk]);
    expect(await rig.judge(await tokenOf(rig, next))).toBe('verified');
    expect(kids()).toEqual([['old'], ['next', 'old']]);
  });

  test('has the keys fetched every 10 s, without any check, and no longer once the last has ended', async () => {
    const rig = new IssuerRig([old.jwk]);
    const one = await watched(rig);
    const two = await watched(rig);
    expect(two.kids()).toEqual([['old']]);
    expect(rig.timers.map(({ ms }) => ms)).toEqual([10_000]);
    one.end();
    rig.publish([next.jwk]);
    await rig.ring();
    expect(one.kids()).toEqual([['old']]);
    expect(two.kids()).toEqual([['old'], ['next']]);
    two.end();
    expect(rig.timers).toEqual([]);
  });

  test('keeps the keys through a fetch that failed, and has none once the issuer is silent for longer than an hour', async () => {
    const rig = new IssuerRig([old.jwk]);
    const { kids } = await watched(rig);
    const began = rig.clock.now;
    rig.goDown();
    while (rig.clock.now - began < HOUR) await rig.ring();
    expect(kids()).toEqual([['old']]);
    await rig.ring();
    expect(kids()).toEqual([['old'], []]);
    rig.publish([old.jwk]);
    await rig.ring();
    expect(kids()).toEqual([['old'], [], ['old']]);
  });

  test('is told of the silence even while the last fetch hangs', async () => {
    const rig = new IssuerRig([old.jwk]);
    const { kids } = await watched(rig);
    rig.answer = () => new Promise(() => {});
    const began = rig.clock.now;
    while (rig.clock.now - began <= HOUR) await rig.ring();
    expect(kids()).toEqual([['old'], []]);
  });
});

describe('what is told', () => {
  test('is public members of the key alone', async () => {
    const rig = new IssuerRig([{ ...old.jwk, d: 'private', x5c: ['x'], ext: true }, next.jwk]);
    const { told } = await watched(rig);
    const { kty, kid, alg, crv, x, y } = old.jwk;
    const { n, e } = next.jwk;
    expect(told).toEqual([
      {
        keys: [
          { kty, kid, alg, crv, x, y },
          { kty: 'RSA', kid: 'next', alg: 'RS256', n, e },
        ],
      },
    ]);
  });

  test('leaves out what the authorizer would not verify by, and what another would read differently', async () => {
    const twin = await makeKey('RS256', 'twin');
    const ed = await makeKey('EdDSA', 'ed');
    const weak = Buffer.alloc(128, 0xff).toString('base64url');
    const rig = new IssuerRig([
      { ...old.jwk, kid: 'enc', use: 'enc' },
      { kty: 'RSA', e: 'AQAB', kid: 'weak', n: weak },
      // Two of one kid, also of two types: chosen by the kid alone, it could be either.
      { ...old.jwk, kid: 'twin' },
      twin.jwk,
      { ...old.jwk, kid: '' },
      { ...old.jwk, kid: 'off the curve', y: old.jwk.x ?? '' },
      { kty: 'OKP', crv: 'X25519', x: ed.jwk.x ?? '', kid: 'for agreement' },
      { kty: 'EC', crv: 'secp256k1', x: old.jwk.x ?? '', y: old.jwk.y ?? '', kid: 'another curve' },
      { ...next.jwk, kid: 'no exponent', e: 7 as unknown as string },
      { ...next.jwk, kid: 'a list', alg: ['RS256'] as unknown as string },
      ed.jwk,
      old.jwk,
    ]);
    const { kids } = await watched(rig);
    expect(kids()).toEqual([['ed', 'old']]);
  });

  test('of a kid that a weak key shares, is the strong one: the weak one is none', async () => {
    const weak = { kty: 'RSA', e: 'AQAB', kid: 'next', n: Buffer.alloc(128, 0xff).toString('base64url') };
    const { told } = await watched(new IssuerRig([weak, next.jwk]));
    expect(told[0]?.keys.map(({ n }) => n)).toEqual([next.jwk.n]);
  });
});
