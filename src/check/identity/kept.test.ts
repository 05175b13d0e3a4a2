// What of a session is kept: everything that anybody looks at, and nothing beside it.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../config/load.ts';
import { unmet } from '../decide.ts';
import { identityHeaders, sessionPaths } from '../response/identity-headers.ts';
import type { Identity, JsonObject } from './identity.ts';
import { createKeep } from './kept.ts';

const headersOf = (yaml: string) =>
  parseConfig(
    `ory: { url: https://ory.example }\nedge: { upstream: "http://127.0.0.1:3000" }\nidentity_headers: ${yaml}\n`,
    'f',
    { env: {} },
  ).identityHeaders;
const keepFor = (yaml: string) => createKeep(sessionPaths(headersOf(yaml)));

const SESSION = {
  id: 's',
  active: true,
  authenticator_assurance_level: 'aal1',
  authenticated_at: '2026-11-24T00:00:00Z',
  devices: [{ id: 'd' }],
  identity: {
    id: 'i',
    traits: { email: 'a@x.example', name: { first: 'A', last: 'B' } },
    verifiable_addresses: [{ via: 'email', verified: true, value: 'a@x.example' }],
    metadata_public: null,
  },
};
const ALWAYS = { id: 's', authenticator_assurance_level: 'aal1', authenticated_at: '2026-11-24T00:00:00Z' };

test.each<[string, object]>([
  ['{}', { ...ALWAYS, identity: { id: 'i' } }],
  ['{ A: [token.sub] }', { ...ALWAYS, identity: { id: 'i' } }],
  [
    '{ A: [session.identity.traits.name.first] }',
    { ...ALWAYS, identity: { id: 'i', traits: { name: { first: 'A' } } } },
  ],
  [
    '{ A: [session.identity.traits.name.first], B: [session.identity.traits] }',
    { ...ALWAYS, identity: { id: 'i', traits: SESSION.identity.traits } },
  ],
  [
    '{ B: [session.identity.traits], A: [session.identity.traits.name.first] }',
    { ...ALWAYS, identity: { id: 'i', traits: SESSION.identity.traits } },
  ],
  ['{ A: [session.identity] }', { ...ALWAYS, identity: SESSION.identity }],
  [
    '{ A: [session.identity.verified_email] }',
    { ...ALWAYS, identity: { id: 'i', verifiable_addresses: SESSION.identity.verifiable_addresses } },
  ],
  ['{ A: [session.devices.0.id] }', { ...ALWAYS, identity: { id: 'i' } }],
  ['{ A: [session.id.length] }', { ...ALWAYS, identity: { id: 'i' } }],
  ['{ A: [session.identity.metadata_public] }', { ...ALWAYS, identity: { id: 'i', metadata_public: null } }],
])('with headers %s', (yaml, expected) => {
  expect(keepFor(yaml)(SESSION)).toEqual(expected);
});

test('has no member that it was not given, and no prototype but that of an object', () => {
  const session = JSON.parse('{"id":"s","identity":{"id":"i","__proto__":{"admin":true}}}') as JsonObject;
  const kept = createKeep([['identity', '__proto__', 'admin'], ['constructor', 'name'], ['toString']])(session);
  expect(JSON.stringify(kept)).toBe('{"id":"s","identity":{"id":"i","__proto__":{"admin":true}}}');
  expect(Object.getPrototypeOf(kept)).toBe(Object.prototype);
  expect(Object.hasOwn(kept, 'toString')).toBe(false);
});

describe('whatever a session is', () => {
  const names = ['id', 'identity', 'traits', 'email', 'authenticated_at', 'authenticator_assurance_level', '__proto__'];
  const { json } = fc.letrec((tie) => ({
    json: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('aal1', 'aal2', '2026-11-24T00:00:00Z', 'x', 1, true, null),
      fc.array(tie('json'), { maxLength: 2 }),
      fc
        .array(fc.tuple(fc.constantFrom(...names), tie('json')), { maxLength: 5 })
        .map((pairs) => Object.fromEntries(pairs)),
    ),
  }));
  const session = fc
    .array(fc.tuple(fc.constantFrom(...names), json), { maxLength: 7 })
    .map((pairs) => Object.fromEntries(pairs) as JsonObject);
  const headers = headersOf(
    '{ A: [session.identity.traits.email], B: [session.identity.verified_email, session.identity.id], C: [session.traits], D: [session.identity.traits] }',
  );
  const keep = createKeep(sessionPaths(headers));
  const outcome = (one: JsonObject) => {
    const identity: Identity = { kind: 'session', session: one, expiresAtMs: undefined };
    const now = Date.parse('2026-11-24T00:10:00Z');
    return [
      identityHeaders(identity, headers),
      unmet(identity, { kind: 'session', aal: 'aal2', maxAgeMs: 900_000 }, now),
      unmet(identity, { kind: 'session', aal: 'aal1', maxAgeMs: 60_000 }, now),
    ];
  };

  test('headers and verdicts are those of all of it', () => {
    fc.assert(
      fc.property(session, (one) => {
        expect(outcome(keep(one))).toEqual(outcome(one));
      }),
    );
  });
});
