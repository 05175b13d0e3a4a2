// What is remembered, turned against the edge: another rule, another credential, another level, another time.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IdentityCache } from '../../../src/check/identity/cache/memory.ts';
import { rejected, type Verification, type Verifier } from '../../../src/check/identity/identity.ts';
import { hydraClaims, IssuerRig, makeKey as issuerKey, sign as issuerSign } from '../../../src/check/testing/issuer.ts';
import { TurnedClock } from '../../../src/check/testing/turned-clock.ts';
import { TRANSPORTS } from '../../../src/generate/envoy/transport.ts';
import { until } from '../../until.ts';
import type { Lines } from '../rig/client.ts';
import { attack } from './classes.ts';
import { type Attacked, outcome, startAttacked } from './rig.ts';
import { claimsOf, json, makeKey, type ScriptedOry, sign } from './scripted-ory.ts';

const TTL_MS = 600;
let attacked: Attacked;
let ory: ScriptedOry;

beforeAll(async () => {
  attacked = await startAttacked({ cache: { ttl: `${TTL_MS}ms`, negative_ttl: '100ms', stale_if_error: '1h' } });
  ory = attacked.ory;
});

afterAll(() => attacked?.close());

/** Another for each test and transport, so that nothing is remembered from before. */
let made = 0;
function session(person: string, change: Record<string, unknown> = {}): string {
  const value = `s-${person}-${made++}`;
  ory.session(value, person, change);
  return value;
}

describe.each(TRANSPORTS)('checks over %s', (transport) => {
  const ask = (path: string, headers: Lines) => outcome(attacked.edges[transport], 'HTTP/1.1', path, headers);
  const withToken = (path: string, value: string) => ask(path, [['X-Session-Token', value]]);
  const withBearer = (path: string, value: string) => ask(path, [['Authorization', `Bearer ${value}`]]);
  const whoamis = (value: string) =>
    ory.askedFor('/sessions/whoami').filter(({ headers }) => headers.some(([, one]) => one.includes(value))).length;

  describe(attack(12), () => {
    it('a session that one rule let in is judged anew by each other rule', async () => {
      const value = session('ada', { authenticated_at: new Date(Date.now() - 3_600_000).toISOString() });
      expect(await withToken('/admin/x', value)).toBe('200 ada /admin/x');
      expect(await withToken('/second/x', value)).toBe('403 aal_insufficient');
      expect(await withToken('/recent/x', value)).toBe('403 session_too_old');
      expect(await withToken('/api/x', value)).toBe('401 credential_missing');
      expect(await withToken('/nowhere', value)).toBe('403 no_rule');
      expect(await withToken('/admin/x', value)).toBe('200 ada /admin/x');
    });

    it('a token that one rule let in is judged anew by each other rule', async () => {
      const token = await sign(ory.rs256, claimsOf(ory, { jti: `${made++}` }));
      expect(await withBearer('/api/x', token)).toBe('200 ada /api/x');
      expect(await withBearer('/other/x', token)).toBe('401 token_audience_mismatch');
      expect(await withBearer('/scoped/x', token)).toBe('403 scope_insufficient');
      expect(await withBearer('/claimed/x', token)).toBe('403 claim_mismatch');
      expect(await withBearer('/admin/x', token)).toBe('401 session_invalid');
      expect(await withBearer('/api/x', token)).toBe('200 ada /api/x');
    });
  });

  describe(attack(13), () => {
    it('a credential of one kind never stands for one of another', async () => {
      const value = session('ada');
      const cookie = `ory_kratos_session=${value}`;
      expect(await ask('/admin/x', [['Cookie', cookie]])).toBe('200 ada /admin/x');
      // The same text as a session token, which Kratos does not know.
      expect(await withToken('/admin/x', cookie)).toBe('401 session_invalid');
      expect(await withBearer('/admin/x', cookie)).toBe('401 session_invalid');
      expect(await withToken('/admin/x', value)).toBe('200 ada /admin/x');
      expect(await withBearer('/api/x', value)).toBe('401 token_kind_wrong');
    });

    it('two that share a long beginning are two', async () => {
      const value = `${session('ada')}${'a'.repeat(4_000)}`;
      ory.session(`${value}1`, 'ada');
      ory.session(`${value}2`, 'grace');
      expect(await withToken('/admin/x', `${value}1`)).toBe('200 ada /admin/x');
      expect(await withToken('/admin/x', `${value}2`)).toBe('200 grace /admin/x');
      expect(await withToken('/admin/x', `${value}3`)).toBe('401 session_invalid');
      expect(await withToken('/admin/x', value)).toBe('401 session_invalid');
    });
  });

  describe(attack(14), () => {
    const ended = '401 session_invalid';

    it('a session that ended is used for no longer than cache.ttl after its last check', async () => {
      const value = session('ada');
      expect(await withToken('/admin/x', value)).toBe('200 ada /admin/x');
      ory.revoke(value);
      // How long that is to the millisecond is shown by a clock of its own, in memory.test.ts.
      await until('it has ended', async () => (await withToken('/admin/x', value)) === ended);
      expect(await withToken('/admin/x', value)).toBe(ended);
    });

    it('an answer that was under way when the session ended does not bring it back', async () => {
      const value = session('ada');
      let asked = 0;
      let answerNow = () => {};
      ory.before = async (request, response) => {
        if (request.headers['x-session-token'] !== value || asked++ > 0) return false;
        await new Promise<void>((resolve) => {
          answerNow = resolve;
        });
        // Kratos had looked it up before it ended.
        const identity = { id: 'ada', state: 'active' };
        json(response, 200, { id: value, active: true, authenticator_assurance_level: 'aal1', identity });
        return true;
      };
      try {
        const slow = withToken('/admin/x', value);
        await until('Kratos is asked', () => asked === 1);
        const askedAt = Date.now();
        ory.revoke(value);
        await until('its time in the cache is over before it is there', () => Date.now() > askedAt + TTL_MS + 50);
        answerNow();
        expect(await slow).toBe('200 ada /admin/x');
        expect(await withToken('/admin/x', value)).toBe(ended);
        expect(asked).toBe(2);
      } finally {
        ory.before = undefined;
      }
    });

    it('an outage brings back no session that Kratos has said no to', async () => {
      const value = session('ada');
      expect(await withToken('/admin/x', value)).toBe('200 ada /admin/x');
      ory.revoke(value);
      await until('it has ended', async () => (await withToken('/admin/x', value)) === ended);
      await until('the no is forgotten', async () => {
        const before = whoamis(value);
        expect(await withToken('/admin/x', value)).toBe(ended);
        return whoamis(value) > before;
      });
      ory.before = (_, response) => {
        response.destroy();
        return true;
      };
      try {
        await until('the no is forgotten again', async () => (await withToken('/admin/x', value)) !== ended);
        expect(await withToken('/admin/x', value)).toBe('503 ory_unreachable');
      } finally {
        ory.before = undefined;
      }
    });

    it('nor one that is past its own end, however long stale answers may be used', async () => {
      const value = session('ada', { expires_at: new Date(Date.now() + 5_000).toISOString() });
      expect(await withToken('/admin/x', value)).toBe('200 ada /admin/x');
      ory.before = (_, response) => {
        response.destroy();
        return true;
      };
      try {
        await until('it has ended', async () => (await withToken('/admin/x', value)) === '503 ory_unreachable');
      } finally {
        ory.before = undefined;
      }
    });
  });

  describe(attack(15), () => {
    it.each([429, 500, 502, 503, 404, 403, 302, 204])(
      'a status of %d is no verdict, and is not remembered',
      async (status) => {
        const value = session('ada');
        ory.before = (_, response) => {
          json(response, status, {});
          return true;
        };
        try {
          expect(await withToken('/admin/x', value)).toMatch(/^503 ory_(?:error|rate_limited)$/);
        } finally {
          ory.before = undefined;
        }
        expect(await withToken('/admin/x', value)).toBe('200 ada /admin/x');
      },
    );

    it('a no for a token that is not of its kind, or is broken, is not Ory’s, and costs it nothing', async () => {
      const since = ory.asked.length;
      for (let i = 0; i < 50; i++) expect(await withBearer('/api/x', `garbage-${made++}`)).toBe('401 token_kind_wrong');
      expect(ory.asked.slice(since).filter(({ path }) => path.startsWith('/sessions'))).toEqual([]);
    });
  });

  describe(attack(20), () => {
    it('whoever invents key ids drives the issuer once in a cooldown, and good keys stay', async () => {
      const fetches = (since: number) =>
        ory
          .askedFor('/.well-known/jwks.json', since)
          .filter(({ headers }) => headers.some(([name, value]) => name === 'user-agent' && value === 'ory-envoy'))
          .length;
      const invented = async () =>
        await sign({ ...ory.rs256, jwk: { ...ory.rs256.jwk, kid: `invented-${made++}` } }, claimsOf(ory));
      const tokens = await Promise.all(Array.from({ length: 200 }, invented));
      const since = ory.asked.length;
      const started = Date.now();
      const outcomes = await Promise.all(tokens.map((token) => withBearer('/api/x', token)));
      const cooldowns = Math.ceil((Date.now() - started) / 2_000);
      expect(new Set(outcomes)).toEqual(new Set(['401 token_key_unknown']));
      // Both authorizers fetch now and then by themselves.
      expect(fetches(since)).toBeLessThanOrEqual(cooldowns + 2);
      expect(await withBearer('/api/x', await sign(ory.rs256, claimsOf(ory)))).toBe('200 ada /api/x');
    });
  });

  describe(attack(21), () => {
    it('with the issuer away its known keys go on, and nobody’s key becomes one', async () => {
      expect(await withBearer('/api/x', await sign(ory.rs256, claimsOf(ory)))).toBe('200 ada /api/x');
      ory.before = (_, response) => {
        response.destroy();
        return true;
      };
      try {
        expect(await withBearer('/api/x', await sign(ory.rs256, claimsOf(ory, { jti: `${made++}` })))).toBe(
          '200 ada /api/x',
        );
        const stranger = await makeKey('RS256', `stranger-${made++}`);
        await until(
          'the silence is noticed',
          async () => (await withBearer('/api/x', await sign(stranger, claimsOf(ory)))) === '503 jwks_unavailable',
        );
        const underKnown = await makeKey('RS256', 'rs');
        expect(await withBearer('/api/x', await sign(underKnown, claimsOf(ory)))).toBe('401 token_signature_invalid');
      } finally {
        ory.before = undefined;
      }
      await until('it is asked again', async () => {
        const unknown = await makeKey('ES256', `unknown-${made++}`);
        return (await withBearer('/api/x', await sign(unknown, claimsOf(ory)))) === '401 token_key_unknown';
      });
    });
  });

  describe(attack(24), () => {
    it.each([
      ['aal1', '403 aal_insufficient'],
      ['aal0', '403 aal_insufficient'],
      ['AAL2', '403 aal_insufficient'],
      ['aal22', '403 aal_insufficient'],
      [2, '403 aal_insufficient'],
      [['aal2'], '403 aal_insufficient'],
      [null, '403 aal_insufficient'],
      ['aal2', '200 ada /second/x'],
    ])('a second factor is what Kratos calls aal2 and nothing else: %j', async (level, expected) => {
      const value = session('ada', { authenticator_assurance_level: level });
      expect(await withToken('/second/x', value)).toBe(expected);
      expect(await withToken('/admin/x', value)).toBe('200 ada /admin/x');
      expect(await withToken('/second/x', value)).toBe(expected);
    });

    it('a first factor that is remembered is never a second one, and a second one that was just given counts at once', async () => {
      const value = session('ada');
      expect(await withToken('/admin/x', value)).toBe('200 ada /admin/x');
      expect(await withToken('/second/x', value)).toBe('403 aal_insufficient');
      ory.session(value, 'ada', { authenticator_assurance_level: 'aal2' });
      expect(await withToken('/second/x', value)).toBe('200 ada /second/x');
    });

    it.each([
      ['an hour ago', () => new Date(Date.now() - 3_600_000).toISOString(), '403 session_too_old'],
      ['at no time', () => undefined, '403 session_too_old'],
      ['at a time that is none', () => 'yesterday', '403 session_too_old'],
      ['at a number', () => Date.now(), '403 session_too_old'],
      ['just now', () => new Date().toISOString(), '200 ada /recent/x'],
    ])('a login is recent where Kratos says when it was: %s', async (_, at, expected) => {
      const value = session('ada', { authenticated_at: at() });
      expect(await withToken('/admin/x', value)).toBe('200 ada /admin/x');
      expect(await withToken('/recent/x', value)).toBe(expected);
    });

    it('what Kratos itself refuses for want of a second factor is not remembered', async () => {
      const value = session('ada');
      ory.before = (_, response) => {
        json(response, 403, { error: { id: 'session_aal2_required' }, redirect_browser_to: 'https://evil.test/x' });
        return true;
      };
      try {
        expect(await withToken('/admin/x', value)).toBe('403 aal_insufficient');
      } finally {
        ory.before = undefined;
      }
      expect(await withToken('/admin/x', value)).toBe('200 ada /admin/x');
    });
  });
});

describe(attack(15), () => {
  const cacheOf = (clock: TurnedClock) =>
    new IdentityCache({
      ttlMs: 60_000,
      negativeTtlMs: 60_000,
      staleIfErrorMs: 0,
      maxEntries: 100_000,
      clock: clock.read,
    });

  it('garbage is remembered up to a bound of its own, and pushes out nobody', async () => {
    const asked = new Map<string, number>();
    const yes: Verification = {
      kind: 'verified',
      identity: { kind: 'session', session: {}, expiresAtMs: undefined },
      cacheForMs: undefined,
      setCookie: [],
    };
    const verifier: Verifier = {
      async verify({ value }) {
        asked.set(value, (asked.get(value) ?? 0) + 1);
        return value === 'good' ? yes : { ...rejected('session_invalid'), ory: true };
      },
      stillTrusted: () => true,
    };
    const cache = cacheOf(new TurnedClock());
    const ask = (value: string) => cache.verify({ kind: 'session_token', value }, verifier);
    await ask('good');
    for (let i = 0; i < 50_000; i++) await ask(`garbage-${i}`);
    await ask('garbage-49999');
    await ask('garbage-0');
    await ask('good');
    // The last is remembered, the first long forgotten, and the session is still there.
    expect([asked.get('garbage-49999'), asked.get('garbage-0'), asked.get('good')]).toEqual([1, 2, 1]);
  });
});

describe(attack(21), () => {
  it('the last good keys are used for an hour, and not for longer', async () => {
    const key = await issuerKey('ES256', 'es');
    const rig = new IssuerRig([key.jwk]);
    const token = async () => issuerSign(key, hydraClaims(rig.clock));
    expect(await rig.judge(await token())).toBe('verified');
    rig.goDown();
    rig.clock.now += 59 * 60_000;
    expect(await rig.judge(await token())).toBe('verified');
    rig.clock.now += 2 * 60_000;
    expect(await rig.judge(await token())).toBe('jwks_unavailable');
  });
});
