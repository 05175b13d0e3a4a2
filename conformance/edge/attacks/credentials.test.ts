// Two credentials in one request, cookies hidden in cookies, names that are nearly right: who is let in is whom Kratos
// would take, or nobody.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wireAnswer, wireCheck } from '../../../src/check/testing/grpc-wire.ts';
import { TRANSPORTS, type Transport } from '../../../src/generate/envoy/transport.ts';
import { grpcClient } from '../../../src/server/testing/grpc-client.ts';
import { type Lines, sendRaw } from '../rig/client.ts';
import { WAYS } from '../rig/transports.ts';
import { attack } from './classes.ts';
import { type Attacked, outcome, PAGE, rawOutcome, startAttacked } from './rig.ts';
import { claimsOf, sign } from './scripted-ory.ts';

let attacked: Attacked;
/** Access tokens of two people. */
let ada: string;
let grace: string;

beforeAll(async () => {
  attacked = await startAttacked();
  const { ory } = attacked;
  for (const person of ['ada', 'grace']) ory.session(`s-${person}`, person);
  ory.session('ory_st_ada', 'ada');
  ory.session('ory_st_strong', 'grace', { authenticator_assurance_level: 'aal2' });
  ada = await sign(ory.rs256, claimsOf(ory, { sub: 'ada' }));
  grace = await sign(ory.rs256, claimsOf(ory, { sub: 'grace' }));
});

afterAll(() => attacked?.close());

const COOKIE = 'ory_kratos_session';
const AMBIGUOUS = '400 credential_ambiguous';

describe(attack(6), () => {
  const TWO: readonly [string, string, Lines][] = [
    [
      'two session tokens',
      '/admin/x',
      [
        ['X-Session-Token', 's-ada'],
        ['X-Session-Token', 's-grace'],
      ],
    ],
    [
      'two session tokens, the second spelled in another way',
      '/admin/x',
      [
        ['X-Session-Token', 's-ada'],
        ['x-session-TOKEN', 's-grace'],
      ],
    ],
    ['two session tokens in one line', '/admin/x', [['X-Session-Token', 's-ada, s-grace']]],
    ['two cookies', '/admin/x', [['Cookie', `${COOKIE}=s-ada; ${COOKIE}=s-grace`]]],
    [
      'two cookies in two lines',
      '/admin/x',
      [
        ['Cookie', `${COOKIE}=s-ada`],
        ['Cookie', `${COOKIE}=s-grace`],
      ],
    ],
    [
      'two cookies in two lines, between others',
      '/admin/x',
      [
        ['Cookie', `a=1; ${COOKIE}=s-ada`],
        ['Cookie', `b=2; ${COOKIE}=s-grace`],
      ],
    ],
    [
      'two Authorizations',
      '/admin/x',
      [
        ['Authorization', 'Bearer s-ada'],
        ['Authorization', 'Bearer s-grace'],
      ],
    ],
    ['two bearers in one line', '/admin/x', [['Authorization', 'Bearer s-ada, Bearer s-grace']]],
    [
      'a bearer behind another scheme',
      '/admin/x',
      [
        ['Authorization', 'Basic YTpi'],
        ['Authorization', 'Bearer s-ada'],
      ],
    ],
    [
      'a bearer before another scheme',
      '/admin/x',
      [
        ['Authorization', 'Bearer s-ada'],
        ['Authorization', 'DPoP s-grace'],
      ],
    ],
  ];

  describe.each(WAYS)('over $protocol, checks over $transport', ({ protocol, transport }) => {
    const ask = (path: string, headers: Lines) => outcome(attacked.edges[transport], protocol, path, headers);

    it.each(TWO)('two in one place are refused: %s', async (_, path, headers) => {
      expect(await ask(path, headers)).toBe(AMBIGUOUS);
    });

    it('two access tokens are refused as well', async () => {
      for (const lines of [
        [
          ['Authorization', `Bearer ${ada}`],
          ['Authorization', `Bearer ${grace}`],
        ],
        [['Authorization', `Bearer ${ada},Bearer ${grace}`]],
        [
          ['Authorization', `Bearer ${ada}`],
          ['Authorization', `bearer ${grace}`],
        ],
      ] as Lines[])
        expect(await ask('/api/x', lines)).toBe(AMBIGUOUS);
    });

    it.each<[string, Lines, string]>([
      [
        'the header before the cookie',
        [
          ['X-Session-Token', 's-grace'],
          ['Cookie', `${COOKIE}=s-ada`],
        ],
        '200 grace /admin/x',
      ],
      [
        'the cookie before the bearer',
        [
          ['Authorization', 'Bearer s-grace'],
          ['Cookie', `${COOKIE}=s-ada`],
        ],
        '200 ada /admin/x',
      ],
      [
        'a bad header hides a good cookie',
        [
          ['X-Session-Token', 'bad'],
          ['Cookie', `${COOKIE}=s-ada`],
        ],
        '401 session_invalid',
      ],
      [
        'an empty header hides nothing',
        [
          ['X-Session-Token', ''],
          ['Cookie', `${COOKIE}=s-ada`],
        ],
        '200 ada /admin/x',
      ],
      [
        'one credential twice is one',
        [
          ['X-Session-Token', 's-ada'],
          ['X-Session-Token', 's-ada'],
        ],
        '200 ada /admin/x',
      ],
    ])('the precedence is Kratos’s: %s', async (_, headers, expected) => {
      expect(await ask('/admin/x', headers)).toBe(expected);
    });
  });

  const HIDDEN: readonly [string, string, string][] = [
    ['behind a tab', `a=1;\t${COOKIE}=s-ada`, '200 ada /admin/x'],
    ['inside a quoted value', `a="x; ${COOKIE}=s-ada; y"`, '200 ada /admin/x'],
    ['inside a value', `a=x,${COOKIE}=s-ada`, '401 credential_missing'],
    ['in quotes', `${COOKIE}="s-ada"`, '401 credential_malformed'],
    ['with a backslash', `${COOKIE}=s\\-ada`, '401 credential_malformed'],
    ['with a space inside', `${COOKIE}=s-ada x`, '401 credential_malformed'],
    ['with a space before the equals sign', `${COOKIE} =s-ada`, '401 credential_missing'],
    ['without a value', `${COOKIE}; a=1`, '401 credential_missing'],
    ['empty', `${COOKIE}=`, '401 credential_missing'],
    ['empty and full', `${COOKIE}=; ${COOKIE}=s-ada`, '200 ada /admin/x'],
    ['in capitals', `${COOKIE.toUpperCase()}=s-ada`, '401 credential_missing'],
    ['under its own name twice', `${COOKIE}=${COOKIE}=s-ada`, '401 session_invalid'],
    ['joined by a comma', `${COOKIE}=s-ada,${COOKIE}=s-grace`, AMBIGUOUS],
    ['joined by a comma and blanks', `${COOKIE}=s-ada, \t${COOKIE}=s-grace`, AMBIGUOUS],
    ['joined by a comma with another name', `${COOKIE}=s-ada,ory_session_x=s-grace`, AMBIGUOUS],
    ['as RFC 2109 has it', `$Version=1; ${COOKIE}=s-ada; $Path=/`, '200 ada /admin/x'],
    ['escaped', `${COOKIE}=s%2dada`, '401 session_invalid'],
    ['before a NUL', `${COOKIE}=s-ada\0`, '400'],
  ];

  describe.each(TRANSPORTS)('as bytes, checks over %s', (transport) => {
    it.each(HIDDEN)('a session cookie has one reading: %s', async (_, cookie, expected) => {
      expect(await rawOutcome(attacked.edges[transport], 'GET /admin/x HTTP/1.1', `cookie: ${cookie}`)).toBe(expected);
    });

    it('a byte that is no text is part of no credential', async () => {
      // Over HTTP Envoy puts "!" in its place, and Kratos is asked.
      for (const line of [`cookie: ${COOKIE}=s-ada\xe1`, `cookie: ${COOKIE}=\xffs-ada`, 'x-session-token: s-ada\x80'])
        expect(await rawOutcome(attacked.edges[transport], 'GET /admin/x HTTP/1.1', line)).toMatch(
          /^401 (?:credential_malformed|session_invalid)$/,
        );
    });

    it.each([
      ['Bearer  s-ada', '200 ada /admin/x'],
      ['bearer s-ada', '200 ada /admin/x'],
      ['BEARER s-ada', '200 ada /admin/x'],
      ['Bearer\ts-ada', '401 credential_missing'],
      ['Bearers-ada', '401 credential_missing'],
      ['Bearer', '401 credential_missing'],
      ['Bearer Bearer s-ada', '401 credential_malformed'],
      ['Bearer "s-ada"', '401 credential_malformed'],
      ['Bearer s-ada x', '401 credential_malformed'],
      ['Bearer s-ada;', '401 credential_malformed'],
      ['Bearer s-ad\xe1', '401 credential_malformed'],
      ['Token s-ada', '401 credential_missing'],
    ])('a bearer has one spelling: "%s"', async (value, expected) => {
      expect(await rawOutcome(attacked.edges[transport], 'GET /admin/x HTTP/1.1', `authorization: ${value}`)).toBe(
        expected,
      );
    });
  });

  it('exactly one credential is sent to Kratos, alone', async () => {
    const { ory, edges } = attacked;
    ory.session('s-alone', 'ada');
    const lines: Lines = [
      ['Cookie', `a=1; ${COOKIE}=s-alone; b=2`],
      ['Authorization', 'Bearer s-grace'],
      ['X-Forwarded-For', '6.6.6.6'],
    ];
    for (const transport of TRANSPORTS) {
      const since = ory.asked.length;
      expect(await outcome(edges[transport], 'HTTP/1.1', '/admin/x', lines)).toBe('200 ada /admin/x');
      const [asked] = ory.askedFor('/sessions/whoami', since);
      const sent = asked?.headers.filter(([name]) => /^(?:cookie|authorization|x-)/.test(name));
      expect(sent).toEqual([['cookie', `${COOKIE}=s-alone`]]);
    }
  });

  it('the authorizer hides no second one behind thousands of headers', async () => {
    const { http } = attacked.edges;
    const many = Array.from({ length: 3_000 }, (_, i) => `x-${i}: a\r\n`).join('');
    const bytes = `GET /admin/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-session-token: s-ada\r\n${many}x-session-token: s-grace\r\n\r\n`;
    expect(await sendRaw(http.authorizerUrl, bytes)).toContain('credential_ambiguous');
    const grpc = grpcClient(http.authorizerGrpc);
    try {
      const headers = [
        ['x-session-token', 's-ada'],
        ...Array.from({ length: 3_000 }, (_, i) => [`x-${i}`, 'a']),
        ['x-session-token', 's-grace'],
      ];
      const answer = wireAnswer(
        await grpc.check(wireCheck({ target: '/admin/x', headers: headers as [string, string][] })),
      );
      expect(answer.metadata['ory-reason']).toBe('credential_ambiguous');
    } finally {
      grpc.close();
    }
  });
});

describe(attack(27), () => {
  describe.each(TRANSPORTS)('checks over %s', (transport) => {
    it.each([
      // Documented: names are tried in the configured order, and the first that is present counts.
      ['a sibling’s cookie behind the configured one', `${COOKIE}=s-ada; ory_session_x=s-grace`, '200 ada /admin/x'],
      ['a sibling’s cookie before the configured one', `ory_session_x=s-grace; ${COOKIE}=s-ada`, '200 ada /admin/x'],
      ['a bad one under the first name hides the second', `${COOKIE}=bad; ory_session_x=s-ada`, '401 session_invalid'],
      ['two under one pattern', 'ory_session_a=s-ada; ory_session_b=s-grace', AMBIGUOUS],
      ['the pattern’s beginning alone', 'ory_session_=s-ada', '401 session_invalid'],
      ['a name that goes on', `${COOKIE}x=s-ada`, '401 credential_missing'],
      ['a name that begins earlier', `x${COOKIE}=s-ada`, '401 credential_missing'],
      ['__Host- before the name', `__Host-${COOKIE}=s-ada`, '401 credential_missing'],
      ['__Secure- before the name', `__Secure-${COOKIE}=s-ada`, '401 credential_missing'],
      ['another name', 'session=s-ada', '401 credential_missing'],
      ['a name with a blank that browsers strip', `\x0b${COOKIE}=s-ada`, '401 credential_missing'],
    ])('only configured names count, in their order: %s', async (_, cookie, expected) => {
      const got = await rawOutcome(attacked.edges[transport], 'GET /admin/x HTTP/1.1', `cookie: ${cookie}`);
      // A control character does not get past Envoy.
      expect(cookie.startsWith('\x0b') ? [expected, '400'] : [expected]).toContain(got);
    });
  });
});

describe(attack('any-of'), () => {
  describe.each(WAYS)('over $protocol, checks over $transport', ({ protocol, transport }) => {
    const ask = (path: string, headers: Lines) => outcome(attacked.edges[transport], protocol, path, headers);
    const bearer = (value: string): Lines => [['Authorization', `Bearer ${value}`]];

    it.each<[string, string, () => Lines, string]>([
      ['a session token is a session', '/mixed/x', () => bearer('ory_st_ada'), '200 ada /mixed/x'],
      ['a JWT is a token', '/mixed/x', () => bearer(grace), '200 grace /mixed/x'],
      ['a bearer that is neither', '/mixed/x', () => bearer('s-ada'), '401 token_kind_wrong'],
      [
        'a session token is never asked about as a token',
        '/api/x',
        () => bearer('ory_st_ada'),
        '401 credential_missing',
      ],
      [
        'a JWT is never asked about as a session where both are taken',
        '/turned/x',
        () => bearer(grace),
        '200 grace /turned/x',
      ],
      ['a weak session where a strong one is wanted', '/turned/x', () => bearer('ory_st_ada'), '403 aal_insufficient'],
      ['a strong session', '/turned/x', () => bearer('ory_st_strong'), '200 grace /turned/x'],
      [
        'the first that satisfies counts: the session',
        '/mixed/x',
        () => [...bearer(grace), ['Cookie', `${COOKIE}=s-ada`]],
        '200 ada /mixed/x',
      ],
      [
        'the first that satisfies counts: the token',
        '/turned/x',
        () => [...bearer(grace), ['Cookie', `${COOKIE}=s-ada`]],
        '200 grace /turned/x',
      ],
      [
        'a bad session beside a good token',
        '/mixed/x',
        () => [...bearer(grace), ['X-Session-Token', 'bad']],
        '200 grace /mixed/x',
      ],
      [
        'a bearer with two schemes',
        '/mixed/x',
        () => [['Authorization', `Bearer ory_st_ada, Bearer ${grace}`]],
        AMBIGUOUS,
      ],
      ['a session token in other case', '/mixed/x', () => bearer('ORY_ST_ada'), '401 token_kind_wrong'],
      ['a session token behind a JWT’s dots', '/mixed/x', () => bearer('ory_st_a.b.c'), '401 session_invalid'],
    ])('a credential is read in one way only: %s', async (_, path, headers, expected) => {
      expect(await ask(path, headers())).toBe(expected);
    });

    it('no verifier is asked about what the other one takes', async () => {
      const since = attacked.ory.asked.length;
      const token = await sign(
        attacked.ory.rs256,
        claimsOf(attacked.ory, { jti: `${protocol}${transport}`, sub: 'ada' }),
      );
      expect(await ask('/mixed/x', bearer(token))).toBe('200 ada /mixed/x');
      expect(attacked.ory.askedFor('/sessions/whoami', since)).toEqual([]);
    });
  });
});

describe(attack('identify'), () => {
  const anonymous = '200 nobody /home';
  describe.each(WAYS)('over $protocol, checks over $transport', ({ protocol, transport }) => {
    it.each<[string, () => Lines, string]>([
      ['nothing', () => [], anonymous],
      ['a bad credential', () => [['X-Session-Token', 'bad']], anonymous],
      [
        'two credentials',
        () => [
          ['X-Session-Token', 's-ada'],
          ['X-Session-Token', 's-grace'],
        ],
        anonymous,
      ],
      ['a malformed one', () => [['Authorization', 'Bearer a"b']], anonymous],
      [
        'a forged name beside a bad one',
        () => [
          ['X-User-Id', 'root'],
          ['X-Session-Token', 'bad'],
        ],
        anonymous,
      ],
      ['a token for another audience', () => [['Authorization', 'Bearer a.b.c']], anonymous],
      ['a good one', () => [['X-Session-Token', 's-ada']], '200 ada /home'],
    ])('who cannot be told is nobody: %s', async (_, headers, expected) => {
      expect(await outcome(attacked.edges[transport], protocol, '/home', headers())).toBe(expected);
    });

    it('a preflight has no identity, whatever it brings', async () => {
      const preflight: Lines = [
        ['Origin', PAGE],
        ['Access-Control-Request-Method', 'PUT'],
      ];
      expect(await outcome(attacked.edges[transport], protocol, '/home', preflight, 'OPTIONS')).toBe(anonymous);
    });
  });

  it('an outage of Ory identifies nobody, and lets nobody else be taken for somebody', async () => {
    attacked.ory.before = (_, response) => {
      response.destroy();
      return true;
    };
    try {
      for (const transport of TRANSPORTS as readonly Transport[]) {
        const lines: Lines = [
          ['X-Session-Token', `s-outage-${transport}`],
          ['X-User-Id', 'root'],
        ];
        expect(await outcome(attacked.edges[transport], 'HTTP/1.1', '/home', lines)).toBe(anonymous);
      }
    } finally {
      attacked.ory.before = undefined;
    }
  });
});
