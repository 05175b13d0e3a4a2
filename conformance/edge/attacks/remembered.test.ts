// The edge cache, primed with a victim's session and then attacked: what Envoy remembers of one person, under one rule, is
// never another's. conformance/edge/edge-cache has the rest of its proof.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TRANSPORTS } from '../../../src/generate/envoy/transport.ts';
import { until } from '../../until.ts';
import { type Lines, type Protocol, send } from '../rig/client.ts';
import { counter } from '../rig/counter.ts';
import { attack } from './classes.ts';
import { type Attacked, outcome, PAGE, rawOutcome, startAttacked } from './rig.ts';
import { claimsOf, sign } from './scripted-ory.ts';

const VICTIM = 'victim-session-that-nobody-guesses';
const MINE = 'my-own-session-of-the-attacker';
let attacked: Attacked;

beforeAll(async () => {
  attacked = await startAttacked({ cache: { ttl: '10m', edge_ttl: '10m' } });
  attacked.ory.session(VICTIM, 'victim');
  attacked.ory.session(MINE, 'mallory');
});
afterAll(() => attacked?.close());

const cookie = (value: string): Lines => [['Cookie', `ory_kratos_session=${value}`]];
const token = (value: string): Lines => [['X-Session-Token', value]];
const bearer = (value: string): Lines => [['Authorization', `Bearer ${value}`]];

/** Whatever an attacker sends without the victim's credential. */
const WITHOUT: [string, Lines][] = [
  ['nothing', []],
  ['an empty X-Session-Token', token('')],
  ['an empty bearer', bearer('')],
  ['an empty session cookie', cookie('')],
  ['a beginning of the credential', token(VICTIM.slice(0, -1))],
  ['the credential in another case', token(VICTIM.toUpperCase())],
  ['more than the credential', token(`${VICTIM}x`)],
  ['a pattern', token('.*')],
  ['a pattern in a cookie', cookie('%a+')],
  ['the key itself', [['ory-edge-key', `admin t${VICTIM}`]]],
  [
    'an answer',
    [
      ['ory-cache-for', '60000'],
      ['ory-rule', 'admin'],
      ['ory-reason', 'session'],
    ],
  ],
  [
    'an identity',
    [
      ['X-User-Id', 'victim'],
      ['ory-x-user-id', 'victim'],
      ['X_User_Id', 'victim'],
    ],
  ],
];

describe.each(TRANSPORTS)('checks over %s', (transport) => {
  const edge = () => attacked.edges[transport];
  const ask = (path: string, lines: Lines, protocol: Protocol = 'HTTP/1.1') => outcome(edge(), protocol, path, lines);

  describe(attack(35), () => {
    beforeAll(async () => {
      for (const lines of [cookie(VICTIM), token(VICTIM), bearer(VICTIM), token(MINE), cookie(MINE)]) {
        // Each of Envoy's workers remembers for itself.
        await until('it is remembered', async () => {
          const before = await counter(edge().envoy, 'cluster.authorizer.upstream_rq_total');
          for (let i = 0; i < 12; i++) await ask('/admin/x', lines);
          return (await counter(edge().envoy, 'cluster.authorizer.upstream_rq_total')) === before;
        });
      }
    });

    it.each(WITHOUT)('nobody is the victim without its credential: %s', async (_, lines) => {
      for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
        for (let i = 0; i < 4; i++) {
          expect(await ask('/admin/x', lines, protocol)).toMatch(/^401 /);
          expect(
            await ask('/admin/x', [...lines.filter(([name]) => name !== 'X-Session-Token'), ...token(MINE)], protocol),
          ).not.toContain('victim');
        }
      }
      expect(await ask('/admin/x', token(VICTIM))).toBe('200 victim /admin/x');
    });

    it('beside another credential a remembered one is judged anew', async () => {
      const jwt = await sign(attacked.ory.rs256, claimsOf(attacked.ory, { sub: 'jane' }));
      for (let i = 0; i < 4; i++) {
        expect(await ask('/admin/x', [...token(MINE), ...cookie(VICTIM)])).toBe('200 mallory /admin/x');
        expect(await ask('/admin/x', [...token(''), ...cookie(VICTIM)])).toBe('200 victim /admin/x');
        expect(await ask('/admin/x', token(''))).toBe('401 credential_missing');
        expect(await ask('/admin/x', [...token(MINE), ...token(VICTIM)])).toBe('400 credential_ambiguous');
        expect(await ask('/turned/x', [...bearer(jwt), ...cookie(VICTIM)])).toBe('200 jane /turned/x');
        expect(await ask('/mixed/x', [...bearer(jwt), ...cookie(VICTIM)])).toBe('200 victim /mixed/x');
      }
    });

    it('under another rule, on another path and before a request it is no answer', async () => {
      const raw = (line: string) => rawOutcome(edge(), line, `X-Session-Token: ${VICTIM}`);
      const preflight: Lines = [
        ['Origin', PAGE],
        ['Access-Control-Request-Method', 'PUT'],
      ];
      for (let i = 0; i < 4; i++) {
        expect(await ask('/second/x', token(VICTIM))).toBe('403 aal_insufficient');
        expect(await ask('/api/x', token(VICTIM))).toBe('401 credential_missing');
        for (const path of ['/admin/%252e', '/admin/x%2fy', '/admin/%3b'])
          expect(await raw(`GET ${path} HTTP/1.1`)).toMatch(/^400/);
        const { status, body } = await send(edge().url, 'HTTP/1.1', {
          method: 'OPTIONS',
          path: '/spa/x',
          headers: preflight,
        });
        expect([status, body.includes('victim')]).toEqual([200, false]);
      }
    });
  });
});
