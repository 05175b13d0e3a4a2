// An identity as header values: encoding, sources, and nothing that is not its own.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Identity, JsonObject } from '../identity/identity.ts';
import { encodeValue, identityHeaders } from './identity-headers.ts';

describe('encoding', () => {
  test.each([
    ['plain-~!@', 'plain-~!@'],
    ['a b', 'a%20b'],
    ['100%', '100%25'],
    ['a\r\nx: y', 'a%0D%0Ax:%20y'],
    ['\0\t\x7f', '%00%09%7F'],
    ['é€😀', '%C3%A9%E2%82%AC%F0%9F%98%80'],
    ['\ud800x', '%EF%BF%BDx'],
    ['x\udc00', 'x%EF%BF%BD'],
    [' ', '%20'],
  ])('%j becomes %s', (text, value) => {
    expect(encodeValue(text)).toBe(value);
  });

  test('whatever the text, the value is printable ASCII and gives the text back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const value = encodeValue(text);
        expect(value).toMatch(/^[\x21-\x7e]*$/);
        expect(decodeURIComponent(value)).toBe(text.toWellFormed());
      }),
      { numRuns: 2_000 },
    );
  });
});

const sessionOf = (session: JsonObject): Identity => ({ kind: 'session', session, expiresAtMs: undefined });
const tokenOf = (claims: JsonObject): Identity => ({
  kind: 'token',
  claims,
  audiences: [],
  expiresAtMs: 0,
  proof: 'key',
  key: { kid: 'k', material: 'm' },
});

function value(identity: Identity, ...sources: string[]): string | undefined {
  const parsed = sources.map((source) => {
    const [kind, ...path] = source.split('.');
    return { kind: kind as 'session' | 'token', path };
  });
  return identityHeaders(identity, [{ name: 'X-V', sources: parsed }])[0]?.[1];
}

describe('sources', () => {
  const traits = {
    text: 'a',
    empty: '',
    zero: 0,
    no: false,
    yes: true,
    half: 1.5,
    list: ['a', 'é'],
    map: { k: ' ' },
    none: null,
  };
  const session = sessionOf({ id: 's', identity: { id: 'i', traits } });

  test.each([
    ['text', 'a'],
    ['empty', undefined],
    ['zero', '0'],
    ['no', 'false'],
    ['yes', 'true'],
    ['half', '1.5'],
    ['list', '["a","%C3%A9"]'],
    ['map', '{"k":"%20"}'],
    ['none', undefined],
    ['missing', undefined],
    ['text.length', undefined],
    ['list.0', undefined],
    ['map.k.x', undefined],
    ['__proto__', undefined],
    ['constructor', undefined],
    ['constructor.name', undefined],
    ['toString', undefined],
    ['map.hasOwnProperty', undefined],
    ['list.length', undefined],
  ])('session.identity.traits.%s is %s', (path, expected) => {
    expect(value(session, `session.identity.traits.${path}`)).toBe(expected);
  });

  test('a key called __proto__ in an answer is a key like any other', () => {
    const traits = JSON.parse('{"__proto__":{"admin":"yes"}}') as JsonObject;
    const identity = sessionOf({ identity: { traits } });
    expect(value(identity, 'session.identity.traits.admin')).toBeUndefined();
    expect(value(identity, 'session.identity.traits.__proto__.admin')).toBe('yes');
  });

  test('the first source that has a value counts, and only sources of the identity’s kind', () => {
    expect(value(session, 'token.sub', 'session.identity.traits.empty', 'session.identity.id')).toBe('i');
    expect(value(tokenOf({ sub: 'u', identity: { id: 'x' } }), 'session.identity.id', 'token.sub')).toBe('u');
    expect(value(tokenOf({}), 'session.identity.id', 'token.sub')).toBeUndefined();
  });

  test('verified_email is the first address that Kratos has verified', () => {
    const verifiable = (addresses: unknown) =>
      sessionOf({ identity: { verified_email: 'forged', verifiable_addresses: addresses } } as JsonObject);
    const path = 'session.identity.verified_email';
    const good = { via: 'email', verified: true, value: 'v@x' };
    expect(
      value(
        verifiable([{ via: 'email', verified: false, value: 'n@x' }, { via: 'sms', verified: true, value: '1' }, good]),
        path,
      ),
    ).toBe('v@x');
    expect(value(verifiable([{ ...good, verified: 'true' }]), path)).toBeUndefined();
    for (const none of [undefined, null, [], {}, 'x', [null, 1]]) expect(value(verifiable(none), path)).toBeUndefined();
  });

  test('scopes are a list, whichever claim they came in', () => {
    expect(value(tokenOf({ scp: ['a', 'b'] }), 'token.scopes')).toBe('["a","b"]');
    expect(value(tokenOf({ scope: 'a  b' }), 'token.scopes')).toBe('["a","b"]');
    expect(value(tokenOf({ scopes: ['forged'] }), 'token.scopes')).toBeUndefined();
  });

  test.each([
    ['a claim', '12345678901234567'],
    ['below zero', '-9007199254740992'],
    ['written with an exponent', '1e300'],
    ['in a list', '[1, 9007199254740993]'],
    ['deep inside', '{"a":[{"b":9007199254740993}]}'],
  ])('a number that was rounded when it was read is refused, not passed on: %s', (_, json) => {
    const identity = tokenOf(JSON.parse(`{"uid":${json},"sub":"u"}`) as JsonObject);
    const read = () => value(identity, 'token.uid', 'token.sub');
    expect(read).toThrow('the identity header X-V has a number beyond 2^53');
    // Nothing of the value.
    expect(read).not.toThrow(/90071|12345|1e/);
    expect(value(identity, 'token.sub')).toBe('u');
  });

  test.each(['9007199254740991', '-9007199254740991', '0.5', '[9007199254740991]'])('%s is exact', (json) => {
    expect(value(tokenOf(JSON.parse(`{"uid":${json}}`) as JsonObject), 'token.uid')).toBe(json);
  });

  test('a value too large for a header is refused, not cut', () => {
    expect(() => value(tokenOf({ sub: 'x'.repeat(16_385) }), 'token.sub')).toThrow('larger than');
    expect(() => value(tokenOf({ sub: '€'.repeat(2_000) }), 'token.sub')).toThrow('larger than');
  });
});
