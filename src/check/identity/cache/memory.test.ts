// What is remembered, for how long, and what never is.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import type { Credential } from '../../credential/credential.ts';
import { TurnedClock } from '../../testing/turned-clock.ts';
import { type Identity, rejected, unavailable, type Verification, type Verifier } from '../identity.ts';
import { IdentityCache, type IdentityCacheOptions } from './memory.ts';

const token = (value: string): Credential => ({ kind: 'session_token', value });

function identityOf(value: string, expiresAtMs?: number): Identity {
  return { kind: 'session', session: { id: value, active: true, identity: { id: value } }, expiresAtMs };
}

function yes(
  value = 'x',
  given: { expiresAtMs?: number; cacheForMs?: number; setCookie?: string[] } = {},
): Verification {
  return {
    kind: 'verified',
    identity: identityOf(value, given.expiresAtMs),
    cacheForMs: given.cacheForMs,
    setCookie: given.setCookie ?? [],
  };
}
const ORYS_NO: Verification = { kind: 'rejected', reason: 'session_invalid', ory: true };

class Scripted implements Verifier {
  calls = 0;
  trusted = true;
  answer: (credential: Credential) => Promise<Verification> | Verification = (credential) => yes(credential.value);

  async verify(credential: Credential): Promise<Verification> {
    this.calls++;
    return await this.answer(credential);
  }

  stillTrusted(): boolean {
    return this.trusted;
  }
}

function setup(options: Partial<IdentityCacheOptions> = {}) {
  const clock = new TurnedClock();
  const cache = new IdentityCache({
    ttlMs: 60_000,
    negativeTtlMs: 5_000,
    staleIfErrorMs: 0,
    maxEntries: 1_000,
    clock: clock.read,
    ...options,
  });
  const verifier = new Scripted();
  return { clock, cache, verifier, ask: (credential = token('x')) => cache.verify(credential, verifier) };
}

/** How long an answer was used without asking again, found by turning the clock. */
async function lifetime({ clock, verifier, ask }: ReturnType<typeof setup>): Promise<number> {
  const start = clock.now;
  await ask();
  const before = verifier.calls;
  for (const step of [999, 1, 3_999, 1, 4_999, 1, 49_999, 1]) {
    clock.now += step;
    await ask();
    if (verifier.calls > before) return clock.now - start;
  }
  return Number.POSITIVE_INFINITY;
}

describe('the life of a yes', () => {
  test.each([
    ['cache.ttl', {}, 60_000],
    ['Ory’s own bound', { cacheForMs: 10_000 }, 10_000],
    ['the end of the session', { expiresAtMs: 1_800_000_005_000 }, 5_000],
    ['the least of them', { cacheForMs: 10_000, expiresAtMs: 1_800_000_001_000 }, 1_000],
    ['cache.ttl again, where the others are longer', { cacheForMs: 90_000, expiresAtMs: 1_900_000_000_000 }, 60_000],
  ])('is %s', async (_, given, ms) => {
    const rig = setup();
    rig.verifier.answer = () => yes('x', given);
    expect(await lifetime(rig)).toBe(ms);
  });

  test('counts from before the call, however long Ory takes', async () => {
    const rig = setup({ ttlMs: 1_000 });
    rig.verifier.answer = () => {
      rig.clock.now += 900;
      return yes();
    };
    await rig.ask();
    rig.clock.now += 99;
    await rig.ask();
    expect(rig.verifier.calls).toBe(1);
    rig.clock.now += 1;
    await rig.ask();
    expect(rig.verifier.calls).toBe(2);
  });

  test.each([
    ['a ttl of nothing', { ttlMs: 0 }, {}],
    ['Ory’s wish', {}, { cacheForMs: 0 }],
    ['an end that has come', {}, { expiresAtMs: 1_800_000_000_000 }],
  ])('is nothing at all for %s', async (_, options, given) => {
    const rig = setup(options);
    rig.verifier.answer = () => yes('x', given);
    await rig.ask();
    await rig.ask();
    expect(rig.verifier.calls).toBe(2);
  });

  test('ends when the clock goes back', async () => {
    const rig = setup();
    await rig.ask();
    rig.clock.now -= 1;
    await rig.ask();
    expect(rig.verifier.calls).toBe(2);
  });

  test('ends when what it was verified with is no longer trusted', async () => {
    const rig = setup({ staleIfErrorMs: 60_000 });
    await rig.ask();
    rig.verifier.trusted = false;
    rig.verifier.answer = () => unavailable('jwks_unavailable');
    expect(await rig.ask()).toMatchObject({ kind: 'unavailable' });
    rig.verifier.trusted = true;
    expect(await rig.ask()).toMatchObject({ kind: 'unavailable' });
  });

  test('a Set-Cookie goes to the one check that asked', async () => {
    const rig = setup();
    rig.verifier.answer = () => yes('x', { setCookie: ['a=1'] });
    const all = await Promise.all([rig.ask(), rig.ask(), rig.ask()]);
    all.push(await rig.ask());
    expect(all.map((one) => one.kind === 'verified' && one.setCookie.length)).toEqual([1, 0, 0, 0]);
  });
});

describe('the life of a no', () => {
  test('is cache.negative_ttl for Ory’s own', async () => {
    const rig = setup();
    rig.verifier.answer = () => ORYS_NO;
    expect(await lifetime(rig)).toBe(5_000);
    expect(await rig.ask()).toEqual(ORYS_NO);
  });

  test.each<[string, Verification]>([
    ['our own no', rejected('session_invalid')],
    ['a missing second factor', rejected('aal_insufficient')],
    ['an outage', unavailable('ory_unreachable')],
    ['a rate limit', unavailable('ory_rate_limited', 5)],
  ])('is nothing for %s', async (_, answer) => {
    const rig = setup();
    rig.verifier.answer = () => answer;
    await rig.ask();
    await rig.ask();
    expect(rig.verifier.calls).toBe(2);
  });

  test('is nothing where negative_ttl is 0s', async () => {
    const rig = setup({ negativeTtlMs: 0 });
    rig.verifier.answer = () => ORYS_NO;
    await rig.ask();
    await rig.ask();
    expect(rig.verifier.calls).toBe(2);
  });

  test('a no ends an earlier yes, also the stale one', async () => {
    const rig = setup({ ttlMs: 1_000, staleIfErrorMs: 3_600_000 });
    await rig.ask();
    rig.clock.now += 1_000;
    rig.verifier.answer = () => rejected('session_invalid');
    await rig.ask();
    rig.verifier.answer = () => unavailable('ory_unreachable');
    expect(await rig.ask()).toMatchObject({ kind: 'unavailable' });
  });

  test('garbage pushes out no identity', async () => {
    const rig = setup({ maxEntries: 100 });
    await rig.ask(token('good'));
    rig.verifier.answer = () => ORYS_NO;
    for (let i = 0; i < 1_000; i++) await rig.ask(token(`garbage${i}`));
    const before = rig.verifier.calls;
    expect(await rig.ask(token('good'))).toMatchObject({ kind: 'verified' });
    expect(rig.verifier.calls).toBe(before);
  });
});

describe('concurrent checks', () => {
  test('1,000 of one credential make one call', async () => {
    const rig = setup();
    const gate = Promise.withResolvers<Verification>();
    rig.verifier.answer = () => gate.promise;
    const checks = Array.from({ length: 1_000 }, () => rig.ask());
    gate.resolve(yes());
    for (const one of await Promise.all(checks)) expect(one.kind).toBe('verified');
    expect(rig.verifier.calls).toBe(1);
  });

  test('of two credentials make two', async () => {
    const rig = setup();
    await Promise.all([
      rig.ask(token('a')),
      rig.ask(token('b')),
      rig.ask({ kind: 'access_token', value: 'a' }),
      rig.ask({ kind: 'session_cookie', value: 'a' }),
    ]);
    expect(rig.verifier.calls).toBe(4);
  });

  test('a verifier that throws fails all of them, and nothing is remembered', async () => {
    const rig = setup({ staleIfErrorMs: 60_000 });
    rig.verifier.answer = () => {
      throw new Error('bug');
    };
    const settled = await Promise.allSettled([rig.ask(), rig.ask(), rig.ask()]);
    expect(settled.map((one) => one.status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(rig.verifier.calls).toBe(1);
    rig.verifier.answer = () => yes();
    expect(await rig.ask()).toMatchObject({ kind: 'verified' });
  });
});

describe('one credential never stands for another', () => {
  test('values that share a long beginning are distinct, and so are kinds', async () => {
    const rig = setup();
    const start = 'x'.repeat(10_000);
    const credentials: Credential[] = [
      token(`${start}a`),
      token(`${start}b`),
      token(start),
      { kind: 'access_token', value: `${start}a` },
    ];
    rig.verifier.answer = (credential) => yes(`${credential.kind}${credential.value.slice(-1)}`);
    const first = await Promise.all(credentials.map((one) => rig.ask(one)));
    const second = await Promise.all(credentials.map((one) => rig.ask(one)));
    expect(second).toEqual(first);
    expect(new Set(first.map((one) => JSON.stringify(one))).size).toBe(4);
    expect(rig.verifier.calls).toBe(4);
  });
});

describe('stale_if_error', () => {
  test('serves a yes through an outage, for so long and no longer', async () => {
    const rig = setup({ ttlMs: 1_000, staleIfErrorMs: 10_000 });
    await rig.ask();
    rig.verifier.answer = () => unavailable('ory_unreachable');
    rig.clock.now += 10_999;
    expect(await rig.ask()).toMatchObject({ kind: 'verified' });
    rig.clock.now += 1;
    expect(await rig.ask()).toMatchObject({ kind: 'unavailable' });
  });

  test('never past the end of the credential, and never after the clock went back', async () => {
    const rig = setup({ ttlMs: 1_000, staleIfErrorMs: 10_000 });
    rig.verifier.answer = () => yes('x', { expiresAtMs: rig.clock.now + 2_000 });
    await rig.ask();
    rig.verifier.answer = () => unavailable('ory_unreachable');
    rig.clock.now += 1_999;
    expect(await rig.ask()).toMatchObject({ kind: 'verified' });
    rig.clock.now += 1;
    expect(await rig.ask()).toMatchObject({ kind: 'unavailable' });
    rig.clock.now -= 2_001;
    expect(await rig.ask()).toMatchObject({ kind: 'unavailable' });
  });

  test('is for outages alone: a bug is not an outage', async () => {
    const rig = setup({ ttlMs: 1_000, staleIfErrorMs: 10_000 });
    await rig.ask();
    rig.clock.now += 1_000;
    rig.verifier.answer = () => Promise.reject(new Error('bug'));
    await expect(rig.ask()).rejects.toThrow('bug');
  });
});

describe('an identity that is not enough', () => {
  const is = (wanted: string) => (identity: Identity) =>
    identity.kind === 'session' && identity.session['id'] === wanted;
  const setUp = (options: Partial<IdentityCacheOptions> = {}) => {
    const rig = setup(options);
    let id = 'half';
    rig.verifier.answer = () => yes(id);
    const ask = (wanted: string) => rig.cache.verify(token('x'), rig.verifier, is(wanted));
    return { ...rig, ask, become: (next: string) => (id = next) };
  };

  test('is asked about anew, each time, and stays remembered for those that it is enough for', async () => {
    const { verifier, ask, become } = setUp();
    await ask('half');
    await ask('whole');
    expect(await ask('whole')).toMatchObject({ kind: 'verified', identity: { session: { id: 'half' } } });
    expect(verifier.calls).toBe(3);
    await ask('half');
    expect(verifier.calls).toBe(3);
    become('whole');
    expect(await ask('whole')).toMatchObject({ identity: { session: { id: 'whole' } } });
    await ask('whole');
    expect(verifier.calls).toBe(4);
  });

  test('of a call that was under way is asked about once more, by all that came meanwhile together', async () => {
    const { verifier, ask, become } = setUp();
    const gate = Promise.withResolvers<Verification>();
    verifier.answer = () => gate.promise;
    const first = ask('half');
    become('whole');
    const later = Array.from({ length: 100 }, () => ask('whole'));
    verifier.answer = () => yes('whole');
    gate.resolve(yes('half'));
    expect(await first).toMatchObject({ identity: { session: { id: 'half' } } });
    for (const one of await Promise.all(later)) expect(one).toMatchObject({ identity: { session: { id: 'whole' } } });
    expect(verifier.calls).toBe(2);
  });

  test.each([0, 60_000])('is nothing to go by in an outage, with %d ms of stale_if_error', async (staleIfErrorMs) => {
    const { clock, verifier, ask } = setUp({ ttlMs: 10_000, staleIfErrorMs });
    await ask('half');
    verifier.answer = () => unavailable('ory_unreachable');
    expect(await ask('whole')).toMatchObject({ kind: 'unavailable' });
    clock.now += 10_000;
    expect(await ask('whole')).toMatchObject({ kind: 'unavailable' });
    expect((await ask('half')).kind).toBe(staleIfErrorMs > 0 ? 'verified' : 'unavailable');
  });
});

describe('what is forgotten', () => {
  const session = { kind: 'session', id: 'x' } as const;

  test('is asked about anew, once', async () => {
    const rig = setup();
    await rig.ask();
    rig.cache.forget(session);
    await rig.ask();
    await rig.ask();
    expect(rig.verifier.calls).toBe(2);
  });

  test('does not come back by a call that was under way, and the edge does not remember what that one answers', async () => {
    const rig = setup();
    const gate = Promise.withResolvers<Verification>();
    rig.verifier.answer = () => gate.promise;
    const before = rig.ask();
    rig.cache.forget(session);
    rig.verifier.answer = () => ORYS_NO;
    const after = [rig.ask(), rig.ask()];
    gate.resolve(yes());
    expect(await before).toMatchObject({ kind: 'verified', freshUntilMs: Number.NEGATIVE_INFINITY });
    expect(await Promise.all(after)).toEqual([ORYS_NO, ORYS_NO]);
    expect(rig.verifier.calls).toBe(2);
  });

  test('does not come back in an outage, not even for a check that had begun before', async () => {
    const rig = setup({ ttlMs: 1_000, staleIfErrorMs: 60_000 });
    await rig.ask();
    rig.clock.now += 1_000;
    const gate = Promise.withResolvers<Verification>();
    rig.verifier.answer = () => gate.promise;
    const before = rig.ask();
    rig.cache.forget(session);
    gate.resolve(unavailable('ory_unreachable'));
    expect(await before).toMatchObject({ kind: 'unavailable' });
    expect(await rig.ask()).toMatchObject({ kind: 'unavailable' });
    expect(rig.cache.stale(token('x'), rig.verifier, () => true)).toBeUndefined();
  });

  test('where it is all, refusals are asked about anew as well', async () => {
    const rig = setup();
    rig.verifier.answer = () => ORYS_NO;
    await rig.ask();
    rig.cache.forget({ kind: 'all' });
    rig.verifier.answer = () => yes();
    expect(await rig.ask()).toMatchObject({ kind: 'verified' });
  });
});

describe('memory', () => {
  test('is flat under 100,000 random cookies, good or bad', async () => {
    const rig = setup({ maxEntries: 2_000 });
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const used = (): number => {
      collect();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const flood = async (from: number, to: number): Promise<void> => {
      for (let i = from; i < to; i++) {
        const value = `ory_kratos_session=${i}${'x'.repeat(500)}`;
        rig.verifier.answer = () => (i % 2 === 0 ? ORYS_NO : yes(String(i)));
        await rig.ask({ kind: 'session_cookie', value });
      }
    };
    await flood(0, 20_000);
    const before = used();
    await flood(20_000, 120_000);
    expect(used() - before).toBeLessThan(4 * 1024 * 1024);
    expect(rig.verifier.calls).toBe(120_000);
  });
});

test('large identities push out others: the memory is bounded in bytes too', async () => {
  const { verifier, ask } = setup();
  const fat = (value: string): Verification => {
    const session = { id: value, active: true, identity: { id: value, traits: { note: 'x'.repeat(1_000_000) } } };
    return { ...yes(value), identity: { kind: 'session', session, expiresAtMs: undefined } } as Verification;
  };
  verifier.answer = ({ value }) => fat(value);
  for (let i = 0; i < 20; i++) await ask(token(`fat-${i}`));
  expect(verifier.calls).toBe(20);
  await ask(token('fat-19'));
  expect(verifier.calls).toBe(20);
  for (let i = 0; i < 20; i++) await ask(token(`fat-${i}`));
  // 8 MiB hold eight of them: whoever asks in order finds none of those that were pushed out.
  expect(verifier.calls).toBe(40);
});

test('what is nested too deeply to be written out is used, and not remembered', async () => {
  const { verifier, ask } = setup();
  const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
  const session = { id: 'x', active: true, deep };
  verifier.answer = () =>
    ({ ...yes(), identity: { kind: 'session', session, expiresAtMs: undefined } }) as Verification;
  expect(await ask()).toMatchObject({ kind: 'verified' });
  expect(await ask()).toMatchObject({ kind: 'verified' });
  expect(verifier.calls).toBe(2);
});
