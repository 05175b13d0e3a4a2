// What the edge cache takes for a credential, attacked on a primed session: whatever it and the authorizer could read
// differently must come out as it does without an edge cache, and leave nothing behind.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TRANSPORTS } from '../../../src/generate/envoy/transport.ts';
import { rawOutcome } from '../attacks/rig.ts';
import { claimsOf, sign } from '../attacks/scripted-ory.ts';
import type { Lines } from '../rig/client.ts';
import { bearer, cookie, opaque, type Rig, session, startRig, token, warm } from './rig.ts';

describe.each(TRANSPORTS)('over %s', (transport) => {
  let rig: Rig;
  /** Mine, and another person's; both are remembered. */
  let mine: string;
  let theirs: string;

  beforeAll(async () => {
    rig = await startRig({ transport, change: { cache: { ttl: '10m', edge_ttl: '10m' } } });
    mine = session(rig, 'ada');
    theirs = session(rig, 'bob');
    for (const value of [mine, theirs]) {
      for (const lines of [cookie(value), token(value), bearer(value)]) await warm(rig, '/admin/x', lines);
    }
  });
  afterAll(() => rig?.close());

  const ADA = '200 ada /admin/x';
  const BOB = '200 bob /admin/x';
  const NOBODY = '401 credential_missing';

  /** Everybody is still who they are. */
  async function expectUnharmed(): Promise<void> {
    for (const of of [cookie, token, bearer]) {
      expect(await rig.ask('/admin/x', of(mine))).toBe(ADA);
      expect(await rig.ask('/admin/x', of(theirs))).toBe(BOB);
    }
    for (const lines of [[], [['X-Session-Token', '']], [['Authorization', 'Bearer ']], [['Cookie', '']]] as Lines[])
      expect(await rig.ask('/admin/x', lines)).toBe(NOBODY);
  }

  it('a plain credential is remembered, wherever it stands, over HTTP/1 and HTTP/2', async () => {
    for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
      for (const lines of [cookie(mine), token(mine), bearer(mine)]) {
        const { hits, asked } = await rig.during(async () => {
          expect(await rig.ask('/admin/x', lines, { protocol })).toBe(ADA);
        });
        expect([hits, asked]).toEqual([1, 0]);
      }
      const among: Lines = [['Cookie', `a=1; ory_kratos_session=${mine}; b="2"`]];
      expect(await rig.during(() => rig.ask('/admin/x', among, { protocol }))).toMatchObject({ hits: 1, asked: 0 });
    }
  });

  it('a cookie that HTTP/2 splits over several fields is one', async () => {
    const split: Lines = [
      ['cookie', 'a=1'],
      ['cookie', `ory_kratos_session=${mine}`],
      ['cookie', 'b=2'],
    ];
    const { hits } = await rig.during(async () => {
      expect(await rig.ask('/admin/x', split, { protocol: 'HTTP/2' })).toBe(ADA);
    });
    expect(hits).toBe(1);
    const two: Lines = [...split, ['cookie', `ory_kratos_session=${theirs}`]];
    expect(await rig.during(() => rig.ask('/admin/x', two, { protocol: 'HTTP/2' }))).toMatchObject({ hits: 0 });
    expect(await rig.ask('/admin/x', two, { protocol: 'HTTP/2' })).toBe('400 credential_ambiguous');
  });

  it('an opaque access token is remembered, and a JWT never', async () => {
    const mark = opaque(rig, 'mark');
    await warm(rig, '/api/x', bearer(mark));
    const jwt = await sign(rig.ory.rs256, claimsOf(rig.ory));
    const jwts = await rig.during(async () => {
      for (let i = 0; i < 3; i++) expect(await rig.ask('/api/x', bearer(jwt))).toBe('200 ada /api/x');
    });
    expect(jwts).toMatchObject({ hits: 0, misses: 0, stores: 0 });
    // With more dots it is neither.
    for (const value of [`${mark}.x`, `${mark}..`, `.${mark}.`])
      expect(await rig.during(() => rig.ask('/api/x', bearer(value)))).toMatchObject({ misses: 0 });
  });

  it.each([
    ['X-Session-Token, empty', [['X-Session-Token', '']]],
    [
      'X-Session-Token, twice empty',
      [
        ['X-Session-Token', ''],
        ['X-Session-Token', ''],
      ],
    ],
    ['Authorization, empty', [['Authorization', '']]],
    ['Bearer, empty', [['Authorization', 'Bearer ']]],
    ['Bearer without a blank', [['Authorization', 'Bearer']]],
    ['another scheme', [['Authorization', 'Basic eDp5']]],
  ] as [string, Lines][])('an empty credential beside a cookie is no key: %s', async (_, empty) => {
    const { misses, stores } = await rig.during(async () => {
      for (let i = 0; i < 3; i++) {
        const lines = [...empty, ...cookie(mine)];
        expect(await rig.ask('/admin/x', lines)).toBe(await rig.ask('/admin/x', lines, { variant: 'plain' }));
        expect(await rig.ask('/admin/x', empty)).toBe(NOBODY);
      }
    });
    // The authorizer would not let it be stored; it is not even looked for.
    expect([misses, stores]).toEqual([0, 0]);
    await expectUnharmed();
  });

  const two: [string, (mine: string, theirs: string) => Lines][] = [
    ['cookie and X-Session-Token', (a, b) => [...cookie(a), ...token(b)]],
    ['cookie and bearer', (a, b) => [...cookie(a), ...bearer(b)]],
    ['X-Session-Token and bearer', (a, b) => [...token(a), ...bearer(b)]],
    ['all three', (a, b) => [...cookie(a), ...token(b), ...bearer(a)]],
    ['two X-Session-Token', (a, b) => [...token(a), ...token(b)]],
    ['X-Session-Token with a comma', (a, b) => token(`${a},${b}`)],
    ['two bearers', (a, b) => [...bearer(a), ...bearer(b)]],
    ['a bearer with a comma', (a, b) => bearer(`${a}, Bearer ${b}`)],
    ['an undecodable cookie and a bearer', (a) => [...cookie('%zz"'), ...bearer(a)]],
    ['an empty session cookie and a bearer', (a) => [...cookie(''), ...bearer(a)]],
    ['a session cookie’s beginning and a bearer', (a) => [['Cookie', 'ory_session_'], ...bearer(a)]],
  ];

  it.each(two)('two credentials in one request are never looked up: %s', async (_, linesOf) => {
    for (const lines of [linesOf(mine, theirs), linesOf(theirs, mine)]) {
      for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
        const counts = await rig.during(async () => {
          for (let i = 0; i < 2; i++) {
            expect(await rig.ask('/admin/x', lines, { protocol })).toBe(
              await rig.ask('/admin/x', lines, { protocol, variant: 'plain' }),
            );
          }
        });
        expect(counts).toMatchObject({ hits: 0, stores: 0, asked: 2 });
      }
    }
    await expectUnharmed();
  });

  const cookies: [string, (mine: string, theirs: string) => string][] = [
    ['two', (a, b) => `ory_kratos_session=${a}; ory_kratos_session=${b}`],
    ['the same twice', (a) => `ory_kratos_session=${a}; ory_kratos_session=${a}`],
    ['a second one behind a tab', (a, b) => `ory_kratos_session=${a};\tory_kratos_session=${b}`],
    ['a second one behind a tab and nothing', (a, b) => `x=1\tory_kratos_session=${b}; ory_kratos_session=${a}`],
    ['a second one inside another’s value', (a, b) => `x=ory_kratos_session=${b}; ory_kratos_session=${a}`],
    ['a second one inside quotes', (a, b) => `x="; ory_kratos_session=${b}"; ory_kratos_session=${a}`],
    ['a second one without a blank', (a, b) => `ory_kratos_session=${a};ory_kratos_session=${b}`],
    ['a second one behind a comma', (a, b) => `ory_kratos_session=${a},ory_kratos_session=${b}`],
    ['a second one under the other name', (a, b) => `ory_session_x=${b}; ory_kratos_session=${a}`],
    ['a name that ends in its name', (a) => `xory_kratos_session=${a}`],
    ['a name that ends in its name, beside it', (a, b) => `xory_kratos_session=${b}; ory_kratos_session=${a}`],
    ['a name that runs across a semicolon', (a, b) => `ory_session_;x=${b}; ory_kratos_session=${a}`],
    ['a name that runs across a semicolon, alone', (a) => `ory_session_;x=${a}`],
    ['a blank in the name', (a) => `ory_kratos_session =${a}`],
    ['one blank too many before it', (a) => `x=1;  ory_kratos_session=${a}`],
    ['no blank before it', (a) => `x=1;ory_kratos_session=${a}`],
    ['a blank before its end', (a) => `ory_kratos_session=${a} ; x=1`],
    ['a tab before its end', (a) => `ory_kratos_session=${a}\t; x=1`],
    ['more behind a blank', (a, b) => `ory_kratos_session=${a} ${b}`],
    ['quotes', (a) => `ory_kratos_session="${a}"`],
    ['an escape', (a) => `ory_kratos_session=${a.replace('s', '%73')}`],
    ['a comma in the value', (a) => `ory_kratos_session=${a},`],
    ['another case', (a) => `Ory_Kratos_Session=${a}`],
    ['a byte above ASCII', (a) => `ory_kratos_session=${a}\xe9`],
    ['a backslash', (a) => `ory_kratos_session=${a}\\`],
    ['an empty one first', (a) => `ory_kratos_session=; ory_kratos_session=${a}`],
    ['an empty one last', (a) => `ory_kratos_session=${a}; ory_kratos_session=`],
  ];

  it.each(cookies)('a cookie with two readings comes out as without an edge cache: %s', async (_, lineOf) => {
    for (const line of [lineOf(mine, theirs), lineOf(theirs, mine)]) {
      const { hits, stores } = await rig.during(async () => {
        for (let i = 0; i < 3; i++) {
          const ask = (url: string) => rawOutcome({ url }, 'GET /admin/x HTTP/1.1', `Cookie: ${line}`);
          expect(await ask(rig.url())).toBe(await ask(rig.url('plain')));
        }
      });
      expect([hits, stores]).toEqual([0, 0]);
    }
    await expectUnharmed();
  });

  it.each([
    ['nothing before it', (a: string) => [['Cookie', `; ory_kratos_session=${a}`]]],
    ['nothing before it, twice', (a: string) => [['Cookie', `;; ory_kratos_session=${a}`]]],
    ['a name without a value beside a bearer', (a: string) => [['Cookie', 'ory_kratos_session'], ...bearer(a)]],
  ] as [string, (a: string) => Lines][])('what has one reading may be odd: %s', async (_, linesOf) => {
    for (const value of [mine, theirs]) {
      for (let i = 0; i < 2; i++) {
        const answer = await rig.ask('/admin/x', linesOf(value));
        expect(answer).toBe(await rig.ask('/admin/x', linesOf(value), { variant: 'plain' }));
        expect(answer).toBe(value === mine ? ADA : BOB);
      }
    }
    await expectUnharmed();
  });

  it.each([
    ['lower case', (a: string) => `bearer ${a}`],
    ['two blanks', (a: string) => `Bearer  ${a}`],
    ['a tab', (a: string) => `Bearer\t${a}`],
    ['a blank inside', (a: string) => `Bearer ${a} x`],
    ['a character that is none of a token', (a: string) => `Bearer ${a}!`],
  ] as const)('a bearer in another spelling is not looked up: %s', async (_, spelled) => {
    const ask = (url: string) => rawOutcome({ url }, 'GET /admin/x HTTP/1.1', `Authorization: ${spelled(mine)}`);
    const { misses, hits } = await rig.during(async () => {
      for (let i = 0; i < 2; i++) expect(await ask(rig.url())).toBe(await ask(rig.url('plain')));
    });
    expect([misses, hits]).toEqual([0, 0]);
    await expectUnharmed();
  });

  it('a credential in one place is none of another place', async () => {
    const value = session(rig, 'eve');
    await warm(rig, '/admin/x', cookie(value));
    for (const lines of [token(value), bearer(value), token(`ory_kratos_session=${value}`)])
      expect(await rig.during(() => rig.ask('/admin/x', lines))).toMatchObject({ hits: 0, misses: 1 });
  });

  it('a yes is remembered for its rule alone', async () => {
    const value = session(rig, 'eve', { authenticated_at: new Date(Date.now() - 3_600_000).toISOString() });
    await warm(rig, '/admin/x', token(value));
    expect(await rig.ask('/second/x', token(value))).toBe('403 aal_insufficient');
    expect(await rig.ask('/recent/x', token(value))).toBe('403 session_too_old');
    expect(await rig.ask('/api/x', token(value))).toBe('401 credential_missing');
    expect(await rig.ask('/nowhere', token(value))).toBe('403 no_rule');
    expect(await rig.during(() => rig.ask('/web/x', token(value)))).toMatchObject({ hits: 0, asked: 1 });
    expect(await rig.ask('/web/x', token(value))).toBe('200 eve /web/x');
  });

  it('a client that says what the edge cache says is not believed, and its words do not go on', async () => {
    const forged: Lines = [
      ['ory-edge-key', `admin t${mine}`],
      ['Ory_Edge_Key', `admin t${mine}`],
      ['ory-cache-for', '60000'],
      ['ory-rule', 'admin'],
      ['ory-reason', 'session'],
      ['ory-x-user-id', 'ada'],
      ['X-User-Id', 'ada'],
    ];
    const stranger = token('s-of-nobody');
    for (let i = 0; i < 3; i++) {
      expect(await rig.ask('/admin/x', [...forged, ...stranger])).toBe('401 session_invalid');
      expect(await rig.ask('/admin/x', [...forged, ...token(theirs)])).toBe(BOB);
      expect(await rig.ask('/home', forged)).toBe('200 nobody /home');
      expect(await rig.ask('/public/x', forged)).toBe('200 nobody /public/x');
    }
    await expectUnharmed();
  });
});
