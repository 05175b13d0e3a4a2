// Every token case through the generated Envoy: what it allows by itself, our verifier allows too. What stays of
// jwt_authn's leniency is listed, and only an issuer could make use of it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TRANSPORTS } from '../../src/generate/envoy/transport.ts';
import { CASES } from '../jwt/cases.ts';
import { differences } from '../jwt/differences.ts';
import { AUDIENCE } from '../jwt/issuer.ts';
import { KEY_SETS } from '../jwt/keys.ts';
import type { Compared } from './compare.ts';
import type { Policy } from './policy.ts';
import { type Case, Rig } from './rig.ts';

const POLICY: Omit<Policy, 'keys' | 'transport'> = {
  file: {
    rules: [{ name: 'api', match: { path: '/**' }, require: { token: {} } }],
    tokens: { audiences: [AUDIENCE] },
    identity_headers: { 'X-User-Id': ['token.sub'] },
  },
  cookies: undefined,
  sessions: false,
  opaque: false,
  publicUrl: 'http://edge.test',
};

const PLAIN = { rule: 0, alternative: 0, host: 0, method: 0, fill: [], path: [], query: '', page: 0, forged: [] };

const WAYS = TRANSPORTS.flatMap((transport) => [
  { transport, keys: 'fetched' as const },
  { transport, keys: 'by file' as const },
]);

describe.each(WAYS)('asked over $transport, with keys $keys', ({ transport, keys: way }) => {
  const listed = differences(way === 'by file' ? 'by file' : 'generated');
  const outcomes = new Map<string, Compared>();
  let rig: Rig;

  beforeAll(async () => {
    rig = await Rig.start();
    const batch = await rig.prepare(
      KEY_SETS.map(
        (keys): Case => ({
          policy: { ...POLICY, keys, transport },
          requests: CASES.flatMap((one, index) =>
            (one.keys ?? 'main') === keys ? [{ ...PLAIN, credentials: [{ kind: 'case', index }] }] : [],
          ),
        }),
      ),
      way === 'by file',
    );
    // With keys by file jwt_authn remembers what it has verified: the second time is what counts.
    for (let times = way === 'by file' ? 3 : 1; times > 0; times--)
      await batch.ask((_, { credentials: [one] }, __, compared) => {
        outcomes.set(CASES[one?.kind === 'case' ? one.index : -1]?.name ?? '', compared);
        return false;
      });
    await batch.close();
  });
  afterAll(() => rig?.close());

  test.each(CASES)('$name', ({ name }) => {
    const outcome = outcomes.get(name);
    const difference = listed.get(name);
    if (difference?.closed === 'issuer' || difference?.closed === 'keys') {
      expect([outcome?.by, outcome?.edge.answer.status]).toEqual(['native', 200]);
      expect(outcome?.engine.kind).toBe('deny');
    } else {
      expect(outcome?.differences).toEqual([]);
      // What jwt_authn alone takes and the verifier does not is asked about.
      expect(outcome?.by === 'native' && difference?.native === 'accepts').toBe(false);
    }
  });

  test('most of what the verifier takes is not asked about', () => {
    const yes = [...outcomes.values()].filter(({ reason }) => reason === 'token');
    expect(yes.length).toBeGreaterThan(50);
    expect(yes.filter(({ by }) => by === 'native').length / yes.length).toBeGreaterThan(0.6);
  });
});
