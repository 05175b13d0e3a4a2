// aal and max_age through the whole flow, memory included: what was given a moment ago counts at once, and what nobody
// could ask about is no denial.
import { describe, expect, test } from 'vitest';
import type { Config } from '../config/config.ts';
import { parseConfig } from '../config/load.ts';
import { createCheck } from './check.ts';
import { IdentityCache } from './identity/cache/memory.ts';
import { rejected, unavailable, type Verification } from './identity/identity.ts';
import type { CheckRequest } from './request/check-request.ts';
import { RecordingLog } from './testing/recording-log.ts';
import { request } from './testing/request.ts';
import { TurnedClock } from './testing/turned-clock.ts';

const config = parseConfig(
  `ory: { url: https://ory.example }
edge: { upstream: "http://u:1" }
tokens: { audiences: [api] }
cache: { stale_if_error: 10m }
rules:
  - { name: careful, match: { path: /careful }, require: { session: { aal: aal2 } } }
  - { name: recent, match: { path: /recent }, require: { session: { max_age: 30s } } }
  - { name: both, match: { path: /both }, require: { session: { aal: aal2, max_age: 30s } } }
  - name: either
    match: { path: /either }
    require: { any_of: [ { session: { aal: aal2 } }, { token: {} } ] }
  - name: two-sessions
    match: { path: /two-sessions }
    require: { any_of: [ { session: { aal: aal2 } }, { session: { max_age: 30s } } ] }
  - name: at-last-any
    match: { path: /at-last-any }
    require: { any_of: [ { session: { aal: aal2 } }, { session: {} } ] }
  - { name: app, match: { path: "/**" }, require: { session: {} } }
`,
  'f.yaml',
  { env: {} },
);

type Level = 'aal1' | 'aal2';

/** A Kratos of one session, which goes through logins, second factors and outages. */
class Kratos {
  calls = 0;
  level: Level = 'aal1';
  down = false;
  /** Answers 403 itself where there is no second factor (`required_aal: highest_available`). */
  strict = false;
  authenticatedAt: number;
  readonly #clock: TurnedClock;
  /** Taken when the call arrives, and sent when this is resolved. */
  held: Promise<void> = Promise.resolve();

  constructor(clock: TurnedClock) {
    this.#clock = clock;
    this.authenticatedAt = clock.now;
  }

  readonly verify = async (): Promise<Verification> => {
    this.calls++;
    const answer = this.#answer();
    await this.held;
    return answer;
  };

  #answer(): Verification {
    if (this.down) return unavailable('ory_unreachable', 3);
    if (this.strict && this.level === 'aal1')
      return { ...rejected('aal_insufficient'), remedyUrl: 'https://k/x' } as Verification;
    const session = {
      id: 's',
      active: true,
      identity: { id: 'i' },
      authenticator_assurance_level: this.level,
      authenticated_at: new Date(this.authenticatedAt).toISOString(),
    };
    return {
      kind: 'verified',
      identity: { kind: 'session', session, expiresAtMs: undefined },
      cacheForMs: undefined,
      setCookie: [],
    };
  }

  give(level: Level): void {
    this.level = level;
    this.authenticatedAt = this.#clock.now;
  }
}

function setup(of: Config = config) {
  const clock = new TurnedClock();
  const kratos = new Kratos(clock);
  const token = { calls: 0, answer: rejected('token_expired') as Verification };
  const check = createCheck({
    config: of,
    log: new RecordingLog(),
    clock: clock.read,
    cache: new IdentityCache({ ...of.cache, clock: clock.read }),
    verifiers: {
      session: { verify: kratos.verify, stillTrusted: () => true },
      token: {
        verify: async () => {
          token.calls++;
          return token.answer;
        },
        stillTrusted: () => true,
      },
    },
  });
  const ask = (path: string, given: Partial<CheckRequest> = {}) =>
    check(request({ path, cookie: ['ory_kratos_session=c'], ...given }));
  const reason = async (path: string, given?: Partial<CheckRequest>) => (await ask(path, given)).reason;
  return { clock, kratos, token, ask, reason };
}

describe('the very next request passes', () => {
  test('after the second factor, though the session is remembered without it', async () => {
    const { kratos, reason } = setup();
    expect([await reason('/app'), await reason('/careful')]).toEqual(['session', 'aal_insufficient']);
    kratos.give('aal2');
    expect(await reason('/careful')).toBe('session');
  });

  test('after a login anew, though the session is remembered as too old', async () => {
    const { clock, kratos, reason } = setup();
    expect(await reason('/recent')).toBe('session');
    clock.now += 30_000;
    expect(await reason('/recent')).toBe('session_too_old');
    kratos.give('aal1');
    expect(await reason('/recent')).toBe('session');
  });

  test('after the second factor that Kratos itself asked for', async () => {
    const { kratos, ask, reason } = setup();
    kratos.strict = true;
    expect(await ask('/app')).toMatchObject({ reason: 'aal_insufficient', remedyUrl: 'https://k/x' });
    kratos.give('aal2');
    expect(await reason('/app')).toBe('session');
  });

  test.each(['verified as less', 'refused by Kratos'])('though a call from before it is under way: %s', async (how) => {
    const { kratos, reason } = setup();
    kratos.strict = how === 'refused by Kratos';
    const gate = Promise.withResolvers<void>();
    kratos.held = gate.promise;
    const before = reason('/careful');
    kratos.give('aal2');
    const after = [reason('/careful'), reason('/careful'), reason('/careful')];
    gate.resolve();
    expect(await before).toBe('aal_insufficient');
    expect(await Promise.all(after)).toEqual(['session', 'session', 'session']);
    expect(kratos.calls).toBe(2);
  });
});

describe('a call to Kratos', () => {
  test('is made for no session that satisfies from memory', async () => {
    const { clock, kratos, reason } = setup();
    kratos.give('aal2');
    for (const path of ['/careful', '/recent', '/both', '/either', '/two-sessions', '/app'])
      expect(await reason(path)).toBe('session');
    clock.now += 29_999;
    expect(await reason('/both')).toBe('session');
    expect(kratos.calls).toBe(1);
  });

  test.each(['/careful', '/recent', '/both', '/two-sessions'])(
    'is made once for each request of an old session that hammers %s, and once for all that come together',
    async (path) => {
      const { clock, kratos, reason } = setup();
      await reason('/app');
      clock.now += 40_000;
      kratos.calls = 0;
      for (let i = 1; i <= 20; i++) {
        expect(await reason(path)).toMatch(/^(aal_insufficient|session_too_old)$/);
        expect(kratos.calls).toBe(i);
      }
      kratos.calls = 0;
      const together = Array.from({ length: 500 }, () => reason(path));
      for (const one of await Promise.all(together)) expect(one).not.toBe('session');
      // The one that was under way when they came, and one that began after.
      expect(kratos.calls).toBeLessThanOrEqual(2);
    },
  );

  test('is made for no more than one alternative of a rule, also where Kratos says no', async () => {
    const { kratos, reason } = setup();
    kratos.strict = true;
    expect(await reason('/two-sessions')).toBe('aal_insufficient');
    expect(kratos.calls).toBe(1);
  });

  test('leaves the session remembered for the rules that it is enough for', async () => {
    const { kratos, reason } = setup();
    await reason('/careful');
    expect(await reason('/app')).toBe('session');
    expect(kratos.calls).toBe(1);
  });
});

describe('while Kratos is down', () => {
  test.each<[string, path: string, passedMs: number]>([
    ['a session that is remembered without the second factor', '/careful', 0],
    ['the same, past its time', '/careful', 61_000],
    ['a session that is remembered as too old', '/recent', 40_000],
    ['a session that has become too old meanwhile', '/recent', 61_000],
  ])('%s is 503: nobody knows what has been given since', async (_, path, passedMs) => {
    const { clock, kratos, ask } = setup();
    await ask('/app');
    kratos.down = true;
    clock.now += passedMs;
    expect(await ask(path)).toMatchObject({ kind: 'deny', reason: 'ory_unreachable', retryAfterSeconds: 3 });
    // For what asks for nothing more, the stale identity goes on.
    expect(await ask('/app')).toMatchObject({ kind: 'allow' });
  });

  test('a stale session with the second factor goes on, for as long as it is young enough', async () => {
    const { clock, kratos, reason } = setup();
    kratos.give('aal2');
    await reason('/app');
    kratos.down = true;
    clock.now += 61_000;
    expect(await reason('/careful')).toBe('session');
    expect(await reason('/both')).toBe('ory_unreachable');
    expect(await reason('/two-sessions')).toBe('session');
  });

  test('a stale session is judged for each alternative by itself', async () => {
    const { clock, kratos, reason } = setup();
    await reason('/app');
    kratos.down = true;
    clock.now += 61_000;
    expect(await reason('/at-last-any')).toBe('session');
  });

  test('those who come together each get what their rule says', async () => {
    const { clock, kratos, reason } = setup();
    await reason('/app');
    clock.now += 61_000;
    kratos.down = true;
    kratos.calls = 0;
    const paths = ['/careful', '/app', '/recent', '/app'];
    expect(await Promise.all(paths.map((path) => reason(path)))).toEqual([
      'ory_unreachable',
      'session',
      'ory_unreachable',
      'session',
    ]);
    expect(kratos.calls).toBe(1);
  });
});

describe('any_of a session with the second factor and a token', () => {
  const bearer = { authorization: ['Bearer t'] };
  const yesToken: Verification = {
    kind: 'verified',
    identity: {
      kind: 'token',
      claims: { sub: 'u' },
      audiences: ['api'],
      proof: 'key',
      expiresAtMs: 2e12,
      key: { kid: 'k', material: 'm' },
    },
    cacheForMs: undefined,
    setCookie: [],
  };

  test('is the token’s where the session lacks the factor', async () => {
    const { token, reason } = setup();
    token.answer = yesToken;
    expect(await reason('/either', bearer)).toBe('token');
    expect(await reason('/either', { ...bearer, cookie: [] })).toBe('token');
  });

  test('asks a person for the factor where there is no token, and says the token’s fault where there is one', async () => {
    const { ask } = setup();
    expect(await ask('/either')).toMatchObject({ reason: 'aal_insufficient', loginQuery: 'aal=aal2' });
    expect(await ask('/either', bearer)).toMatchObject({ reason: 'token_expired', loginQuery: undefined });
    expect(await ask('/either', { cookie: [] })).toMatchObject({ reason: 'credential_missing' });
  });

  test('is 503 where the session could not be asked and the token is none', async () => {
    const { kratos, reason } = setup();
    kratos.down = true;
    expect(await reason('/either', bearer)).toBe('ory_unreachable');
    expect(await reason('/either')).toBe('ory_unreachable');
  });
});
