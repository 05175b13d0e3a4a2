// Revocations against a list of all of them, and the identity cache under any order of checks, answers and revocations.
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Credential } from '../../credential/credential.ts';
import { TurnedClock } from '../../testing/turned-clock.ts';
import { type Identity, rejected, unavailable, type Verification } from '../identity.ts';
import { type CachedVerification, IdentityCache } from './memory.ts';
import { type Revocation, Revocations } from './revocations.ts';

/** Two sessions of ada, one of grace; tokens of both, by both proofs, and one of a client. */
const WHO = [
  { kind: 'session', id: 's1', person: 'ada' },
  { kind: 'session', id: 's2', person: 'ada' },
  { kind: 'session', id: 's3', person: 'Grace' },
  { kind: 'introspection', person: 'ada' },
  { kind: 'key', person: 'Grace' },
  { kind: 'key', person: 'client' },
] as const;
type Who = (typeof WHO)[number];

const who = fc.constantFrom(...WHO);
const revocation: fc.Arbitrary<Revocation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('session' as const), id: fc.constantFrom('s1', 's2', 'ada') }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('identity' as const),
      id: fc.constantFrom('ada', 'grace', 's1', 'nobody'),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'all' as const }) },
);

function isOf(one: Revocation, of: Who): boolean {
  const same = (id: string) => id.toLowerCase() === (one.kind === 'all' ? '' : one.id.toLowerCase());
  if (one.kind === 'all') return true;
  return one.kind === 'session' ? of.kind === 'session' && same(of.id) : same(of.person);
}

/** `call` says which call of Ory it came from. */
function identityOf(one: Who, call = 0): Identity {
  if (one.kind === 'session') {
    const session = { id: one.id, active: true, identity: { id: one.person }, call };
    return { kind: 'session', session, expiresAtMs: undefined };
  }
  const token = { kind: 'token' as const, claims: { sub: one.person, call }, audiences: [] };
  return one.kind === 'key'
    ? { ...token, proof: 'key', key: { kid: 'k', material: 'm' }, expiresAtMs: 1_900_000_000_000 }
    : { ...token, proof: 'introspection', expiresAtMs: undefined };
}

function callOf(identity: Identity): number {
  return (identity.kind === 'session' ? identity.session : identity.claims)['call'] as number;
}

test('without bounds, exactly what was revoked since is covered; with them, at least that', () => {
  const steps = fc.array(fc.record({ revocation, laterMs: fc.integer({ min: -200, max: 200 }) }), { maxLength: 40 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 3 }), (all, maxIds) => {
      const clock = new TurnedClock();
      const exact = new Revocations({ keepMs: Number.POSITIVE_INFINITY, clock: clock.read });
      const bounded = new Revocations({ keepMs: 100, clock: clock.read, maxIds });
      for (const one of all) {
        clock.now += one.laterMs;
        exact.add(one.revocation);
        bounded.add(one.revocation);
      }
      for (const one of WHO) {
        for (let asked = 0; asked <= all.length; asked++) {
          const revoked = all.slice(asked).some((step) => isOf(step.revocation, one));
          expect(exact.cover(identityOf(one), asked)).toBe(revoked);
          if (revoked) expect(bounded.cover(identityOf(one), asked)).toBe(true);
        }
      }
    }),
  );
});

test('the id that was revoked longest ago is left out first, and only what is older than that goes with it', () => {
  const ids = (maxIds: number) => new Revocations({ keepMs: 100, clock: () => 0, maxIds });
  const [s1, s2, s3] = WHO;
  const two = ids(2);
  for (const id of ['s1', 's2', 's1', 'nobody']) two.add({ kind: 'session', id });
  const covered = (one: Who) => [0, 1, 2, 3, 4].filter((asked) => two.cover(identityOf(one), asked));
  expect([s1, s2, s3].map(covered)).toEqual([
    [0, 1, 2],
    [0, 1],
    [0, 1],
  ]);
});

type Step =
  | { readonly do: 'check'; readonly who: Who }
  | { readonly do: 'answer'; readonly which: number; readonly as: 'yes' | 'no' | 'outage' }
  | { readonly do: 'revoke'; readonly revocation: Revocation }
  | { readonly do: 'wait'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('check' as const), who }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      which: fc.nat(5),
      as: fc.constantFrom('yes' as const, 'yes' as const, 'yes' as const, 'no' as const, 'outage' as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('revoke' as const), revocation }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 500, 1_500, -300) }) },
);

interface Call {
  readonly began: number;
  readonly who: Who;
  answer(verification: Verification): void;
}

/** What the cache did, step by step. */
class World {
  readonly clock = new TurnedClock();
  readonly cache = new IdentityCache({
    ttlMs: 1_000,
    negativeTtlMs: 0,
    staleIfErrorMs: 1_000,
    maxEntries: 100,
    clock: this.clock.read,
  });
  readonly calls: Call[] = [];
  readonly open: Call[] = [];
  readonly revocations: { readonly at: number; readonly revocation: Revocation }[] = [];
  readonly checks: Promise<void>[] = [];
  yeses = 0;
  now = 0;

  async take(one: Step): Promise<void> {
    this.now++;
    if (one.do === 'check') this.check(one.who);
    if (one.do === 'revoke') {
      this.cache.forget(one.revocation);
      this.revocations.push({ at: this.now, revocation: one.revocation });
    }
    if (one.do === 'wait') this.clock.now += one.ms;
    if (one.do === 'answer' && this.open.length > 0)
      this.answer(this.open.splice(one.which % this.open.length, 1)[0] as Call, one.as);
    await setImmediate();
  }

  answer(call: Call, as: 'yes' | 'no' | 'outage'): void {
    if (as === 'outage') call.answer(unavailable('ory_unreachable'));
    else if (as === 'no') call.answer(rejected('session_invalid'));
    else {
      const identity = identityOf(call.who, this.calls.indexOf(call));
      call.answer({ kind: 'verified', identity, cacheForMs: undefined, setCookie: [] });
    }
  }

  check(of: Who): void {
    const arrived = this.now;
    const credential: Credential = {
      kind: of.kind === 'session' ? 'session_token' : 'access_token',
      value: String(WHO.indexOf(of)),
    };
    const verify = () => {
      const { promise, resolve } = Promise.withResolvers<Verification>();
      const call = { began: this.now, who: of, answer: resolve };
      this.calls.push(call);
      this.open.push(call);
      return promise;
    };
    const verifying = this.cache.verify(credential, { verify, stillTrusted: () => true });
    this.checks.push(verifying.then((answer) => this.judge(of, arrived, answer)));
  }

  judge(of: Who, arrived: number, answer: CachedVerification): void {
    if (answer.kind !== 'verified') return;
    this.yeses++;
    const { began } = this.calls[callOf(answer.identity)] as Call;
    const between = (until: number) =>
      this.revocations.filter(({ at, revocation }) => at > began && at <= until && isOf(revocation, of));
    expect(between(arrived), 'a check went by what was revoked before it came').toEqual([]);
    if (answer.freshUntilMs > this.clock.now)
      expect(between(this.now), 'the edge would remember what is revoked').toEqual([]);
  }
}

test('no check goes by an answer from before a revocation that came before the check', async () => {
  let yeses = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      const world = new World();
      for (const one of steps) await world.take(one);
      while (world.open.length > 0) await world.take({ do: 'answer', which: 0, as: 'yes' });
      await Promise.all(world.checks);
      yeses += world.yeses;
    }),
    { numRuns: 400 },
  );
  expect(yeses).toBeGreaterThan(400);
});

test('and others are not asked about anew', async () => {
  const world = new World();
  const [first, , , , other] = WHO;
  await world.take({ do: 'check', who: first });
  await world.take({ do: 'check', who: other });
  await world.take({ do: 'answer', which: 0, as: 'yes' });
  await world.take({ do: 'answer', which: 0, as: 'yes' });
  for (const id of ['s1', 's2', 'nobody']) {
    await world.take({ do: 'revoke', revocation: { kind: 'session', id } });
    await world.take({ do: 'check', who: other });
  }
  expect(world.calls.length).toBe(2);
  await world.take({ do: 'check', who: first });
  expect(world.calls.length).toBe(3);
});
