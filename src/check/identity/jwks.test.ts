// The issuer's keys over time: refreshed ahead, after a rotation, through an outage, under a flood.
import { createSign, generateKeyPairSync } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { encode, hydraClaims, IssuerRig, JWKS_URL, type Key, makeKey, sign } from '../testing/issuer.ts';
import { IdentityCache } from './cache/memory.ts';

let old: Key;
let next: Key;
beforeAll(async () => {
  [old, next] = await Promise.all([makeKey('ES256', 'old'), makeKey('ES256', 'next')]);
});

const HOUR = 3_600_000;
/** Lives longer than any test's clock turns. */
const tokenOf = (rig: IssuerRig, key: Key) => sign(key, { ...hydraClaims(rig.clock), exp: 1_900_000_000 });
/** Lets what runs behind a request run. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('fetching', () => {
  test('is one call for any number of first tokens, at the configured address', async () => {
    const rig = new IssuerRig([old.jwk]);
    const token = await tokenOf(rig, old);
    const all = await Promise.all(Array.from({ length: 100 }, () => rig.judge(token)));
    expect(new Set(all)).toEqual(new Set(['verified']));
    expect(rig.asked).toEqual([JWKS_URL]);
  });

  test('is behind the request after a minute, and before it after two', async () => {
    const rig = new IssuerRig([old.jwk]);
    const token = await tokenOf(rig, old);
    await rig.judge(token);
    rig.clock.now += 60_000;
    await rig.judge(token);
    expect(rig.asked).toHaveLength(1);
    rig.clock.now += 1;
    const slow = Promise.withResolvers<void>();
    const answer = rig.answer;
    rig.answer = async () => {
      await slow.promise;
      return await answer();
    };
    expect(await rig.judge(token)).toBe('verified');
    expect(rig.asked).toHaveLength(2);
    slow.resolve();
    await settle();
    rig.publish([next.jwk]);
    rig.clock.now += 120_001;
    expect(await rig.judge(token)).toBe('token_key_unknown');
  });

  test('happens once in a cooldown, however many unknown kids come', async () => {
    const rig = new IssuerRig([old.jwk]);
    const token = await tokenOf(rig, old);
    await rig.judge(token);
    const [, payload, signature] = token.split('.');
    for (let i = 0; i < 500; i++) {
      const kid = `${encode({ alg: 'ES256', kid: `made-up-${i}`, typ: 'JWT' })}.${payload}.${signature}`;
      expect(await rig.judge(kid)).toBe('token_key_unknown');
      rig.clock.now += 10;
    }
    // Five seconds, two of cooldown.
    expect(rig.asked.length).toBeLessThanOrEqual(1 + 3);
    expect(await rig.judge(token)).toBe('verified');
  });

  test('finds the first new key at once, however short ago the keys were fetched', async () => {
    const rig = new IssuerRig([old.jwk]);
    await rig.judge(await tokenOf(rig, old));
    rig.publish([next.jwk, old.jwk]);
    expect(await rig.judge(await tokenOf(rig, next))).toBe('verified');
    expect(rig.asked).toHaveLength(2);
  });

  test('finds a new key as soon as the cooldown lets it', async () => {
    const rig = new IssuerRig([old.jwk]);
    await rig.judge(await tokenOf(rig, old));
    rig.publish([next.jwk, old.jwk]);
    rig.clock.now += 2_000;
    expect(await rig.judge(await tokenOf(rig, next))).toBe('verified');
    expect(await rig.judge(await tokenOf(rig, old))).toBe('verified');
    expect(rig.asked).toHaveLength(2);
  });
});

describe('with the issuer down', () => {
  test('and no key ever seen, a token cannot be judged', async () => {
    const rig = new IssuerRig();
    rig.goDown();
    expect(await rig.judge(await tokenOf(rig, old))).toBe('jwks_unavailable');
    expect(rig.log.lines).toMatchObject([
      { level: 'warn', fields: { endpoint: JWKS_URL, reason: 'jwks_unavailable', cause: 'ECONNREFUSED' } },
    ]);
  });

  test('the last good keys are used for an hour and no longer', async () => {
    const rig = new IssuerRig([old.jwk]);
    const token = await tokenOf(rig, old);
    await rig.judge(token);
    rig.goDown();
    rig.clock.now += HOUR;
    expect(await rig.judge(token)).toBe('verified');
    rig.clock.now += 1;
    expect(await rig.judge(token)).toBe('jwks_unavailable');
    rig.publish([old.jwk]);
    rig.clock.now += 500;
    expect(await rig.judge(token)).toBe('verified');
  });

  test('nobody waits again and again for its silence', async () => {
    const rig = new IssuerRig([old.jwk]);
    const token = await tokenOf(rig, old);
    await rig.judge(token);
    rig.goDown();
    rig.clock.now += 130_000;
    await rig.judge(token);
    rig.clock.now += 600;
    const never = Promise.withResolvers<never>();
    rig.answer = () => never.promise;
    expect(await rig.judge(token)).toBe('verified');
    expect(rig.asked).toHaveLength(3);
  });

  test('one check waits for one silence, also with an unknown kid', async () => {
    const rig = new IssuerRig([old.jwk]);
    await rig.judge(await tokenOf(rig, old));
    rig.clock.now += 130_000;
    rig.answer = () => {
      rig.clock.now += 2_000;
      return { kind: 'none', cause: 'TimeoutError' };
    };
    expect(await rig.judge(await tokenOf(rig, next))).toBe('jwks_unavailable');
    expect(rig.asked).toHaveLength(2);
  });

  test('an unknown kid is an outage, not a bad token', async () => {
    const rig = new IssuerRig([old.jwk]);
    await rig.judge(await tokenOf(rig, old));
    rig.goDown();
    rig.clock.now += 2_000;
    expect(await rig.judge(await tokenOf(rig, next))).toBe('jwks_unavailable');
    expect(await rig.judge(await tokenOf(rig, old))).toBe('verified');
  });

  test('a clock that went back makes the keys of no use', async () => {
    const rig = new IssuerRig([old.jwk]);
    const token = await tokenOf(rig, old);
    await rig.judge(token);
    rig.goDown();
    rig.clock.now -= 1;
    expect(await rig.judge(token)).toBe('jwks_unavailable');
  });
});

describe('garbage', () => {
  test.each([
    ['a page', 200, '<html>'],
    ['nothing', 200, ''],
    ['no list', 200, '{"keys":{}}'],
    ['a list', 200, '[]'],
    ['too many keys', 200, JSON.stringify({ keys: Array(101).fill({}) })],
    [
      'depth',
      200,
      `{"keys":[{"kty":"RSA","kid":"a","n":"${'_'.repeat(400)}","e":${'['.repeat(100_000)}${']'.repeat(100_000)}}]}`,
    ],
    ['a 500 with keys', 500, '{"keys":[]}'],
    ['a redirect', 302, '{"keys":[]}'],
  ])('%s in place of the keys leaves the good ones', async (_, status, body) => {
    const rig = new IssuerRig([old.jwk]);
    const token = await tokenOf(rig, old);
    await rig.judge(token);
    rig.respond(status, body);
    rig.clock.now += 130_000;
    expect(await rig.judge(token)).toBe('verified');
    expect(rig.asked).toHaveLength(2);
    expect(rig.log.lines).toHaveLength(1);
  });

  test('members that are no keys are left out', async () => {
    const rig = new IssuerRig();
    rig.publish([null, 1, 'x', [], {}, { kid: 1, kty: 'EC' }, { ...next.jwk, kid: undefined }, old.jwk]);
    expect(await rig.judge(await tokenOf(rig, old))).toBe('verified');
    expect(await rig.judge(await tokenOf(rig, next))).toBe('token_key_unknown');
  });

  test('keys that are not for what we verify are left out', async () => {
    const rig = new IssuerRig();
    const { use: _, ...bare } = old.jwk;
    const published = [
      { ...old.jwk, use: 'enc', kid: 'use' },
      { ...old.jwk, use: 'enc', key_ops: ['verify'], kid: 'use, though key_ops' },
      { ...old.jwk, key_ops: ['encrypt', 'wrapKey'], kid: 'key_ops' },
      { ...bare, key_ops: ['sign'], kid: 'key_ops without use' },
      { ...old.jwk, key_ops: [], kid: 'no key_ops' },
      { ...old.jwk, key_ops: 'verify', kid: 'key_ops as text' },
      { ...old.jwk, key_ops: null, kid: 'key_ops null' },
      { ...next.jwk, alg: 'ECDH-ES', kid: 'alg' },
      { kty: 'oct', k: 'AAAA', kid: 'oct' },
    ];
    rig.publish(published);
    for (const { kid } of published) expect(await rig.jwks.find(kid), kid).toEqual({ kind: 'unknown' });
  });

  test.each([[['verify']], [['sign', 'verify']], [undefined]])('a key whose key_ops are %j is used', async (ops) => {
    const rig = new IssuerRig();
    const { use: _, ...bare } = old.jwk;
    rig.publish([ops ? { ...bare, key_ops: ops } : bare]);
    expect(await rig.judge(await tokenOf(rig, old))).toBe('verified');
  });

  const ones = (bytes: number, first = 0xff, zeros = 0) =>
    Buffer.concat([Buffer.alloc(zeros), Buffer.from([first]), Buffer.alloc(bytes - 1, 0xff)]).toString('base64url');
  test.each([
    ['1,024 bits', ones(128), false],
    ['1,024 bits behind 128 bytes of zero', ones(128, 0xff, 128), false],
    ['2,047 bits', ones(256, 0x7f), false],
    ['2,041 bits', ones(256, 0x01), false],
    ['2,040 bits behind a byte of zero', ones(255, 0xff, 1), false],
    ['2,048 bits', ones(256, 0x80), true],
    ['2,048 bits behind a byte of zero', ones(256, 0x80, 1), true],
    ['4,096 bits', ones(512), true],
    ['nothing but zeros', Buffer.alloc(256).toString('base64url'), false],
    ['no bits', '', false],
    ['a number', 7, false],
  ])('an RSA key of %s: used %s', async (_, n, used) => {
    const rig = new IssuerRig();
    rig.publish([{ kty: 'RSA', e: 'AQAB', kid: 'k', n }]);
    expect((await rig.jwks.find('k')).kind).toBe(used ? 'found' : 'unknown');
  });

  test('a key that is no point of its curve is an unknown key, and no fault of ours', async () => {
    const rig = new IssuerRig([{ ...old.jwk, y: old.jwk.x ?? '' }]);
    expect(await rig.judge(await tokenOf(rig, old))).toBe('token_key_unknown');
  });

  test('a token of a real key that is too short has an unknown key', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_040 });
    const jwk = publicKey.export({ format: 'jwk' });
    const rig = new IssuerRig();
    const claims = hydraClaims(rig.clock);
    const input = `${encode({ alg: 'RS256', kid: 'short', typ: 'JWT' })}.${encode(claims)}`;
    const signature = createSign('sha256').update(input).sign(privateKey).toString('base64url');
    rig.publish([
      {
        ...jwk,
        n: Buffer.concat([Buffer.alloc(1), Buffer.from(jwk.n ?? '', 'base64url')]).toString('base64url'),
        kid: 'short',
      },
    ]);
    expect(await rig.judge(`${input}.${signature}`)).toBe('token_key_unknown');
  });

  test('one kid for two keys of one type is no key; of two types it is the one that fits', async () => {
    const [twin, rsa] = await Promise.all([makeKey('ES256', 'old'), makeKey('RS256', 'old')]);
    const rig = new IssuerRig([old.jwk, twin.jwk]);
    expect(await rig.judge(await tokenOf(rig, old))).toBe('token_key_unknown');
    const other = new IssuerRig([old.jwk, rsa.jwk]);
    expect(await other.judge(await tokenOf(other, old))).toBe('verified');
    expect(await other.judge(await tokenOf(other, rsa))).toBe('verified');
  });
});

describe('a key that is removed', () => {
  async function cached(keys: readonly Key[]) {
    const rig = new IssuerRig(keys.map((key) => key.jwk));
    const cache = new IdentityCache({
      ttlMs: 24 * HOUR,
      negativeTtlMs: 0,
      staleIfErrorMs: 24 * HOUR,
      maxEntries: 10,
      clock: rig.clock.read,
    });
    const verifier = rig.verifier();
    const credential = { kind: 'access_token', value: await tokenOf(rig, keys[0] as Key) } as const;
    const ask = async () => (await cache.verify(credential, verifier)).kind;
    expect(await ask()).toBe('verified');
    return { rig, ask };
  }

  test('ends what it verified, remembered or not, without another token having to come', async () => {
    const { rig, ask } = await cached([old]);
    rig.publish([next.jwk]);
    rig.clock.now += 60_001;
    await ask();
    await settle();
    expect(await ask()).toBe('rejected');
  });

  test('is not trusted once more after a quiet hour', async () => {
    const { rig, ask } = await cached([old]);
    rig.publish([next.jwk]);
    rig.clock.now += HOUR / 2;
    expect(await ask()).toBe('rejected');
  });

  test('ends it too where another key takes its kid, or shared it', async () => {
    const twin = await makeKey('ES256', 'old');
    const rsa = await makeKey('RS256', 'old');
    for (const [before, after] of [
      [[old], [twin]],
      [[old, rsa], [rsa]],
    ] as const) {
      const { rig, ask } = await cached(before);
      rig.publish(after.map((key) => key.jwk));
      rig.clock.now += 60_001;
      await ask();
      await settle();
      expect(await ask()).toBe('rejected');
    }
  });

  test('and an issuer that is down for longer than its keys last ends what is remembered', async () => {
    const { rig, ask } = await cached([old]);
    rig.goDown();
    rig.clock.now += HOUR;
    expect(await ask()).toBe('verified');
    rig.clock.now += 1;
    expect(await ask()).toBe('unavailable');
  });
});
