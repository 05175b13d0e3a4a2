// What an identity must be like to satisfy a rule: never a yes by what cannot be read.
import { describe, expect, test } from 'vitest';
import type { ClaimRequirement, Requirement, SessionRequirement } from '../config/config.ts';
import type { Credential } from './credential/credential.ts';
import { type Attempt, attemptWith, strongest, unmet } from './decide.ts';
import type { CachedVerification } from './identity/cache/memory.ts';
import type { Identity, Json, JsonObject } from './identity/identity.ts';

const NOW = Date.parse('2026-11-01T12:00:00Z');

function session(given: JsonObject): Identity {
  return { kind: 'session', session: { id: 's', active: true, ...given }, expiresAtMs: undefined };
}

function token(claims: JsonObject, audiences: readonly string[] = ['api']): Identity {
  return {
    kind: 'token',
    claims,
    audiences,
    proof: 'key',
    expiresAtMs: NOW + 60_000,
    key: { kid: 'k', material: 'm' },
  };
}

function sessionWith(given: Partial<SessionRequirement>): SessionRequirement {
  return { kind: 'session', aal: undefined, maxAgeMs: undefined, ...given };
}

const TOKEN: Requirement = { kind: 'token', audiences: ['api'], scopes: [], claims: [] };

describe('the level of a session', () => {
  const LEVELS: [Json | undefined, aal1: boolean, aal2: boolean][] = [
    ['aal1', true, false],
    ['aal2', true, true],
    ['aal0', false, false],
    ['aal3', false, false],
    ['AAL2', false, false],
    ['aal2 ', false, false],
    ['', false, false],
    [null, false, false],
    [2, false, false],
    [true, false, false],
    [['aal2'], false, false],
    [{ aal2: true }, false, false],
    [undefined, false, false],
  ];
  test.each(LEVELS)('%j: aal1 %j, aal2 %j', (level, aal1, aal2) => {
    const identity = session(level === undefined ? {} : { authenticator_assurance_level: level });
    expect(unmet(identity, sessionWith({ aal: 'aal1' }), NOW)).toBe(aal1 ? undefined : 'aal_insufficient');
    expect(unmet(identity, sessionWith({ aal: 'aal2' }), NOW)).toBe(aal2 ? undefined : 'aal_insufficient');
    expect(unmet(identity, sessionWith({}), NOW)).toBeUndefined();
  });
});

describe('the age of a session', () => {
  const maxAge = (authenticatedAt: Json | undefined, maxAgeMs = 60_000) => {
    const given: JsonObject = authenticatedAt === undefined ? {} : { authenticated_at: authenticatedAt };
    return unmet(session({ ...given, issued_at: new Date(NOW).toISOString() }), sessionWith({ maxAgeMs }), NOW);
  };
  const at = (ms: number) => new Date(NOW + ms).toISOString();

  test.each<[string, Json]>([
    ['now', at(0)],
    ['a millisecond before the bound', at(-59_999)],
    ['in nanoseconds, as Kratos writes it', '2026-11-01T11:59:30.123456789Z'],
    ['in another zone', '2026-11-01T13:59:30+02:00'],
    ['a little in the future: Kratos’s clock is ahead', at(1_000)],
    ['as far in the future as clocks may differ', at(60_000)],
  ])('is right: %s', (_, authenticatedAt) => expect(maxAge(authenticatedAt)).toBeUndefined());

  test.each<[string, Json | undefined]>([
    ['missing', undefined],
    ['null', null],
    ['exactly at the bound', at(-60_000)],
    ['long ago', at(-86_400_000)],
    ['further in the future than clocks may differ', at(60_001)],
    ['years in the future', '2999-01-01T00:00:00Z'],
    ['Go’s own zero', '0001-01-01T00:00:00Z'],
    ['seconds since the epoch', NOW / 1_000],
    ['milliseconds since the epoch', NOW],
    ['the same as text', String(NOW)],
    ['empty', ''],
    ['a word', 'now'],
    ['a date alone', '2026-11-01'],
    ['a time that only JavaScript reads', 'Sun Nov 01 2026 12:00:00 GMT'],
    ['a time without a zone, which would be this machine’s', '2026-11-01T12:00:00'],
    ['a time with a comment', '2026-11-01T12:00:00Z (or so)'],
    ['a day that there is not', '2026-13-41T12:00:00Z'],
    ['a list of the right time', [at(0)]],
    ['true', true],
  ])('is too old: %s', (_, authenticatedAt) => expect(maxAge(authenticatedAt)).toBe('session_too_old'));

  test('does not matter without max_age', () => {
    expect(unmet(session({}), sessionWith({ aal: undefined }), NOW)).toBeUndefined();
  });
});

const CREDENTIAL: Credential = { kind: 'session_token', value: 't' };

describe('what a person is asked for at Kratos', () => {
  const refusal = (given: Partial<SessionRequirement>, of: JsonObject) =>
    attemptWith(
      { kind: 'verified', identity: session(of), cacheForMs: undefined, setCookie: [], freshUntilMs: NOW },
      CREDENTIAL,
      sessionWith(given),
      NOW,
    );
  const old = '2026-01-01T00:00:00Z';
  test.each<[Partial<SessionRequirement>, level: string, reason: string, query: string]>([
    [{ aal: 'aal2' }, 'aal1', 'aal_insufficient', 'aal=aal2'],
    [{ aal: 'aal2', maxAgeMs: 1 }, 'aal1', 'aal_insufficient', 'aal=aal2'],
    [{ aal: 'aal2', maxAgeMs: 1 }, 'aal2', 'session_too_old', 'refresh=true&aal=aal2'],
    [{ maxAgeMs: 1 }, 'aal2', 'session_too_old', 'refresh=true'],
    [{ aal: 'aal1', maxAgeMs: 1 }, 'aal1', 'session_too_old', 'refresh=true'],
    [{ aal: 'aal1' }, 'aal0', 'aal_insufficient', 'refresh=true'],
  ])('by a rule with %j, at %s: %s, %s', (given, level, reason, loginQuery) => {
    const of = { authenticator_assurance_level: level, authenticated_at: old };
    expect(refusal(given, of)).toMatchObject({ kind: 'refused', reason, loginQuery });
  });

  test('is what Kratos says where it says no itself, whatever the rule is', () => {
    const said = { kind: 'rejected', reason: 'aal_insufficient', ory: false } as const;
    for (const requirement of [sessionWith({}), sessionWith({ aal: 'aal1' }), sessionWith({ maxAgeMs: 1 })]) {
      expect(attemptWith({ ...said, remedyUrl: 'https://k/x' }, CREDENTIAL, requirement, NOW)).toMatchObject({
        kind: 'refused',
        reason: 'aal_insufficient',
        remedyUrl: 'https://k/x',
        loginQuery: 'aal=aal2',
      });
    }
    const ended = { kind: 'rejected', reason: 'session_invalid', ory: true } as const;
    expect(attemptWith(ended, CREDENTIAL, sessionWith({ aal: 'aal2' }), NOW)).toMatchObject({ loginQuery: undefined });
  });

  test('is nothing for a token', () => {
    const verification = {
      kind: 'verified',
      identity: token({}),
      cacheForMs: undefined,
      setCookie: [],
      freshUntilMs: NOW,
    } as const;
    const lacking = attemptWith(verification, CREDENTIAL, { ...TOKEN, scopes: ['a'] }, NOW);
    expect(lacking).toMatchObject({ kind: 'refused', reason: 'scope_insufficient', loginQuery: undefined });
  });
});

describe('what a yes rests on', () => {
  const MINUTE = 60_000;
  const remembered = (identity: Identity, requirement: Requirement) => {
    const verified = { kind: 'verified', identity, cacheForMs: undefined, setCookie: [], freshUntilMs: NOW + MINUTE };
    const attempt = attemptWith(verified as CachedVerification, CREDENTIAL, requirement, NOW);
    return attempt.kind === 'satisfied' ? attempt.remember : attempt.kind;
  };

  test('is the credential, for as long as its identity is fresh', () => {
    const until = { credential: CREDENTIAL, untilMs: NOW + MINUTE };
    expect(remembered(session({}), sessionWith({}))).toEqual(until);
    const { key: _, ...opaque } = token({}) as Extract<Identity, { proof: 'key' }>;
    expect(remembered({ ...opaque, proof: 'introspection' }, TOKEN)).toEqual(until);
  });

  test('ends with max_age where that is sooner', () => {
    const old = session({ authenticated_at: new Date(NOW - 50_000).toISOString() });
    expect(remembered(old, sessionWith({ maxAgeMs: MINUTE }))).toMatchObject({ untilMs: NOW + 10_000 });
    expect(remembered(old, sessionWith({ maxAgeMs: 10 * MINUTE }))).toMatchObject({ untilMs: NOW + MINUTE });
  });

  test('is nothing to remember for a JWT, whose key may go', () => {
    expect(remembered(token({}), TOKEN)).toBeUndefined();
  });
});

describe('the scopes of a token', () => {
  const scopes = (claims: JsonObject, ...wanted: string[]) => unmet(token(claims), { ...TOKEN, scopes: wanted }, NOW);

  test.each<[string, JsonObject, string[]]>([
    ['a list', { scp: ['a', 'b', 'c'] }, ['a', 'c']],
    ['a text', { scope: 'a b c' }, ['c', 'a']],
    ['both together', { scp: ['a'], scope: 'b' }, ['a', 'b']],
    ['a text under scp', { scp: 'a b' }, ['b']],
    ['a list under scope', { scope: ['a', 'b'] }, ['b']],
    ['blanks around', { scope: '  a   b ' }, ['a', 'b']],
    ['none wanted', {}, []],
  ])('hold what is wanted: %s', (_, claims, wanted) => expect(scopes(claims, ...wanted)).toBeUndefined());

  test.each<[string, JsonObject, string[]]>([
    ['nothing', {}, ['a']],
    ['one of two', { scp: ['a'] }, ['a', 'b']],
    ['the beginning of one', { scope: 'orders:read' }, ['orders']],
    ['another case', { scp: ['A'] }, ['a']],
    ['two in one entry of a list', { scp: ['a b'] }, ['a']],
    ['a comma between', { scope: 'a,b' }, ['a']],
    ['a tab between', { scope: 'a\tb' }, ['a']],
    ['a list in a list', { scp: [['a']] }, ['a']],
    ['an object', { scp: { a: true } }, ['a']],
    ['a number', { scp: [1] }, ['1']],
    ['in ext alone, which is the caller’s', { ext: { scp: ['a'] } }, ['a']],
    ['a member of every object', { scp: [] }, ['constructor']],
    ['a member of every list', { scp: [] }, ['length']],
  ])('lack what is wanted: %s', (_, claims, wanted) => expect(scopes(claims, ...wanted)).toBe('scope_insufficient'));
});

describe('the claims of a token', () => {
  const claim = (claims: JsonObject, path: string, value: ClaimRequirement['value']) =>
    unmet(token(claims), { ...TOKEN, claims: [{ path: path.split('.'), value }] }, NOW);
  /** As it comes from the wire: `__proto__` is an own member there. */
  const parsed = (json: string) => JSON.parse(json) as JsonObject;

  test.each<[string, JsonObject, string, ClaimRequirement['value']]>([
    ['text', { tenant: 'acme' }, 'tenant', 'acme'],
    ['a number', { level: 1 }, 'level', 1],
    ['zero', { level: 0 }, 'level', 0],
    ['false', { admin: false }, 'admin', false],
    ['an empty text', { tenant: '' }, 'tenant', ''],
    ['the largest number that is exact', parsed('{"id":9007199254740991}'), 'id', 9_007_199_254_740_991],
    ['a fraction', { level: 0.5 }, 'level', 0.5],
    ['nested', { ext: { org: { id: 'acme' } } }, 'ext.org.id', 'acme'],
    ['a list that holds it', { groups: ['a', 'b'] }, 'groups', 'b'],
    ['a nested list', { ext: { groups: [1, 2] } }, 'ext.groups', 2],
    ['an own member called constructor', { constructor: 'x' }, 'constructor', 'x'],
    ['an own member called __proto__', parsed('{"__proto__":{"a":"x"}}'), '__proto__.a', 'x'],
  ])('are equal: %s', (_, claims, path, value) => expect(claim(claims, path, value)).toBeUndefined());

  test.each<[string, JsonObject, string, ClaimRequirement['value']]>([
    ['missing', {}, 'tenant', 'acme'],
    ['null', { tenant: null }, 'tenant', 'acme'],
    ['1 for "1"', { level: 1 }, 'level', '1'],
    ['"1" for 1', { level: '1' }, 'level', 1],
    ['true for "true"', { admin: true }, 'admin', 'true'],
    ['1 for true', { admin: 1 }, 'admin', true],
    ['null for false', { admin: null }, 'admin', false],
    ['missing for false', {}, 'admin', false],
    ['missing for ""', {}, 'tenant', ''],
    ['[] for ""', { tenant: [] }, 'tenant', ''],
    ['another case', { tenant: 'Acme' }, 'tenant', 'acme'],
    ['a blank after it', { tenant: 'acme ' }, 'tenant', 'acme'],
    ['composed otherwise', { tenant: 'e\u0301' }, 'tenant', '\u00e9'],
    ['part of a text', { tenant: 'acme,other' }, 'tenant', 'acme'],
    ['a list of numbers for a text', { groups: [1] }, 'groups', '1'],
    ['a list in a list', { groups: [['a']] }, 'groups', 'a'],
    ['a list that is asked for its length', { groups: ['a'] }, 'groups.length', 1],
    ['an entry of a list by number', { groups: ['a'] }, 'groups.0', 'a'],
    ['a character of a text by number', { tenant: 'acme' }, 'tenant.0', 'a'],
    ['the length of a text', { tenant: 'acme' }, 'tenant.length', 4],
    ['a member named with the dot', { 'ext.tenant': 'acme' }, 'ext.tenant', 'acme'],
    ['a member of every object', {}, 'constructor.name', 'Object'],
    ['the prototype', {}, '__proto__.constructor.name', 'Object'],
    ['the top for what was asked of ext', { tenant: 'acme', ext: {} }, 'ext.tenant', 'acme'],
    ['ext for what was asked of the top', { ext: { tenant: 'acme' } }, 'tenant', 'acme'],
    ['rounded to the same number', parsed('{"id":9007199254740993}'), 'id', 9_007_199_254_740_992],
    ['rounded, below zero', parsed('{"id":-9007199254740993}'), 'id', -9_007_199_254_740_992],
    ['rounded, in a list', parsed('{"ids":[9007199254740993]}'), 'ids', 9_007_199_254_740_992],
  ])('are not equal: %s', (_, claims, path, value) => expect(claim(claims, path, value)).toBe('claim_mismatch'));

  test('are the token’s own: what stands in the prototype of every object is none of them', () => {
    const prototype = Object.prototype as unknown as { tenant?: string; scope?: string };
    try {
      prototype.tenant = 'acme';
      prototype.scope = 's';
      expect(claim({}, 'tenant', 'acme')).toBe('claim_mismatch');
      expect(claim({ ext: {} }, 'ext.tenant', 'acme')).toBe('claim_mismatch');
      expect(unmet(token({}), { ...TOKEN, scopes: ['s'] }, NOW)).toBe('scope_insufficient');
    } finally {
      delete prototype.tenant;
      delete prototype.scope;
    }
  });

  test('are all needed, and after audience and scopes', () => {
    const requirement: Requirement = {
      ...TOKEN,
      scopes: ['s'],
      claims: [
        { path: ['a'], value: 1 },
        { path: ['b'], value: 2 },
      ],
    };
    const judge = (claims: JsonObject, audiences?: string[]) => unmet(token(claims, audiences), requirement, NOW);
    expect(judge({ a: 1, b: 2, scp: ['s'] })).toBeUndefined();
    expect(judge({ a: 1, scp: ['s'] })).toBe('claim_mismatch');
    expect(judge({ b: 2, scp: ['s'] })).toBe('claim_mismatch');
    expect(judge({})).toBe('scope_insufficient');
    expect(judge({}, [])).toBe('token_audience_mismatch');
  });
});

describe('of alternatives that were not satisfied stands', () => {
  const missing: Attempt = { kind: 'missing' };
  const refused = (reason: 'session_invalid' | 'token_expired'): Attempt => ({
    kind: 'refused',
    reason,
    requirement: TOKEN,
  });
  const down: Attempt = { kind: 'unavailable', reason: 'ory_unreachable', retryAfterSeconds: 1 };
  const of = (...attempts: Attempt[]) => strongest(attempts as Parameters<typeof strongest>[0]);

  test('an outage, wherever it was', () => {
    expect(of(down, refused('token_expired'))).toBe(down);
    expect(of(refused('session_invalid'), down, missing)).toBe(down);
  });

  test('else the last that had a credential, else nothing', () => {
    expect(of(refused('session_invalid'), refused('token_expired'))).toMatchObject({ reason: 'token_expired' });
    expect(of(refused('session_invalid'), missing)).toMatchObject({ reason: 'session_invalid' });
    expect(of(missing, missing)).toEqual(missing);
    expect(of()).toEqual(missing);
  });
});
