// Several workers and their parent, without processes: what is asked, what is remembered, and for how long.
import { describe, expect, test } from 'vitest';
import type { Credential } from '../../check/credential/credential.ts';
import { IdentityCache } from '../../check/identity/cache/memory.ts';
import { type Enough, unavailable, type Verification, type Verifier } from '../../check/identity/identity.ts';
import { TurnedClock } from '../../check/testing/turned-clock.ts';
import { answerQuestion } from './answer.ts';
import { ParentVerifier } from './parent-verifier.ts';

const cookie: Credential = { kind: 'session_cookie', value: 'ory_kratos_session=x' };
const atLevel2: Enough = (identity) =>
  identity.kind === 'session' && identity.session['authenticator_assurance_level'] === 'aal2';

function yes(aal = 'aal1', more: Partial<Extract<Verification, { kind: 'verified' }>> = {}): Verification {
  return {
    kind: 'verified',
    identity: {
      kind: 'session',
      session: { id: 's', authenticator_assurance_level: aal, identity: { id: 'u' } },
      expiresAtMs: undefined,
    },
    cacheForMs: undefined,
    setCookie: [],
    ...more,
  };
}
const NO: Verification = { kind: 'rejected', reason: 'session_invalid', ory: true };
const AAL: Verification = { kind: 'rejected', reason: 'aal_insufficient', ory: false };

/** Kratos, a parent and two workers, of which each has a cache of its own. */
function rig({ staleIfErrorMs = 0 } = {}) {
  const clock = new TurnedClock();
  const kratos = { calls: 0, answer: (): Verification | Promise<Verification> => yes() };
  const options = { ttlMs: 60_000, negativeTtlMs: 5_000, staleIfErrorMs, maxEntries: 100, clock: clock.read };
  const session: Verifier = {
    async verify() {
      kratos.calls++;
      return await kratos.answer();
    },
    stillTrusted: () => true,
  };
  const parent = new IdentityCache(options);
  const worker = () => {
    const cache = new IdentityCache(options);
    const elsewhere: ParentVerifier = new ParentVerifier((id, question) => {
      void answerQuestion(structuredClone(question), {
        cache: parent,
        verifiers: { session, token: undefined },
        clock: clock.read,
      })
        .catch(() => ({ kind: 'failure' }) as const)
        .then((answer) => elsewhere.answered(id, structuredClone(answer)));
    });
    return { cache, ask: (enough?: Enough, credential = cookie) => cache.verify(credential, elsewhere, enough) };
  };
  return { clock, kratos, parent, one: worker(), other: worker() };
}

describe('of one session', () => {
  test('a thousand checks in two workers make one call, and one of them gets its cookie', async () => {
    const { kratos, one, other } = rig();
    kratos.answer = () => yes('aal1', { setCookie: ['a=1'] });
    const answers = await Promise.all(Array.from({ length: 1_000 }, (_, i) => (i % 2 ? one : other).ask()));
    expect(kratos.calls).toBe(1);
    const cookies = answers.flatMap((answer) => (answer.kind === 'verified' ? answer.setCookie : ['none']));
    expect(cookies).toEqual(['a=1']);
    await Promise.all([one.ask(), other.ask()]);
    expect(kratos.calls).toBe(1);
  });

  test('a worker that asks late remembers until the others do, and no longer', async () => {
    const { clock, kratos, one, other } = rig();
    const start = clock.now;
    await one.ask();
    clock.now = start + 59_000;
    expect(await other.ask()).toMatchObject({ kind: 'verified', freshUntilMs: start + 60_000 });
    clock.now = start + 60_000;
    await other.ask();
    expect(kratos.calls).toBe(2);
  });

  test('Ory’s own bound counts in every worker', async () => {
    const { clock, kratos, one, other } = rig();
    kratos.answer = () => yes('aal1', { cacheForMs: 10_000 });
    const start = clock.now;
    await one.ask();
    clock.now += 4_000;
    expect(await other.ask()).toMatchObject({ freshUntilMs: start + 10_000 });
  });
});

describe('what is remembered and not enough', () => {
  test('is asked about anew, once for all', async () => {
    const { kratos, one, other } = rig();
    await Promise.all([one.ask(), other.ask()]);
    kratos.answer = () => yes('aal2');
    expect(await one.ask(atLevel2)).toMatchObject({ identity: { session: { authenticator_assurance_level: 'aal2' } } });
    expect(kratos.calls).toBe(2);
    // The parent remembers what one worker has found.
    expect(await other.ask(atLevel2)).toMatchObject({
      identity: { session: { authenticator_assurance_level: 'aal2' } },
    });
    expect(kratos.calls).toBe(2);
  });

  test('is not asked about twice where Ory has just said it', async () => {
    const { kratos, one } = rig();
    expect(await one.ask(atLevel2)).toMatchObject({ kind: 'verified' });
    expect(kratos.calls).toBe(1);
  });

  test('a second factor given while a call is under way counts', async () => {
    const { kratos, one, other } = rig();
    const gate = Promise.withResolvers<Verification>();
    kratos.answer = () => gate.promise;
    const early = one.ask(atLevel2);
    const late = other.ask(atLevel2);
    kratos.answer = () => yes('aal2');
    gate.resolve(AAL);
    expect(await early).toEqual(AAL);
    expect(await late).toMatchObject({ kind: 'verified' });
    expect(kratos.calls).toBe(2);
  });
});

describe('a no', () => {
  test('is remembered for its time, however many workers hear of it late', async () => {
    const { clock, kratos, one, other } = rig();
    kratos.answer = () => NO;
    await one.ask();
    clock.now += 4_900;
    expect(await other.ask()).toMatchObject({ kind: 'rejected', reason: 'session_invalid' });
    expect(kratos.calls).toBe(1);
    kratos.answer = () => yes();
    clock.now += 100;
    expect(await other.ask()).toMatchObject({ kind: 'verified' });
    expect(await one.ask()).toMatchObject({ kind: 'verified' });
  });
});

describe('an outage', () => {
  test('is one in every worker', async () => {
    const { kratos, one, other } = rig();
    kratos.answer = () => unavailable('ory_unreachable', 7);
    for (const worker of [one, other])
      expect(await worker.ask()).toEqual({ kind: 'unavailable', reason: 'ory_unreachable', retryAfterSeconds: 7 });
  });

  test('leaves what stale_if_error leaves, for no longer, and nothing that is not enough', async () => {
    const { clock, kratos, one, other } = rig({ staleIfErrorMs: 30_000 });
    const start = clock.now;
    await one.ask();
    kratos.answer = () => unavailable('ory_unreachable');
    clock.now = start + 89_999;
    for (const worker of [one, other]) {
      expect(await worker.ask()).toMatchObject({ kind: 'verified', freshUntilMs: start + 60_000 });
      expect(await worker.ask(atLevel2)).toMatchObject({ kind: 'unavailable' });
    }
    clock.now = start + 90_000;
    for (const worker of [one, other]) expect(await worker.ask()).toMatchObject({ kind: 'unavailable' });
  });

  test('of the parent is a failure of the check, never a yes', async () => {
    const { one } = rig();
    await expect(one.ask(undefined, { kind: 'access_token', value: 'opaque' })).rejects.toThrow('could not answer');
  });
});

describe('a revocation', () => {
  const session = { kind: 'session', id: 's' } as const;

  test('of what a worker is just being told is not brought back by the answer', async () => {
    const { kratos, parent, one, other } = rig();
    const gate = Promise.withResolvers<Verification>();
    kratos.answer = () => gate.promise;
    const underWay = one.ask();
    for (const cache of [parent, one.cache, other.cache]) cache.forget(session);
    gate.resolve(yes());
    await underWay;
    kratos.answer = () => NO;
    for (const worker of [one, other]) expect(await worker.ask()).toMatchObject({ kind: 'rejected' });
  });

  test('reaches a worker that forgets last through the parent that forgot first', async () => {
    const { kratos, parent, one, other } = rig();
    await Promise.all([one.ask(), other.ask()]);
    kratos.answer = () => NO;
    parent.forget(session);
    one.cache.forget(session);
    expect(await one.ask()).toMatchObject({ kind: 'rejected' });
    other.cache.forget(session);
    expect(await other.ask()).toMatchObject({ kind: 'rejected' });
    expect(kratos.calls).toBe(2);
  });
});
