// Headers that only the edge may write, and headers that would change what is judged: no spelling of a client's counts.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { TRANSPORTS } from '../../../src/generate/envoy/transport.ts';
import { type Lines, send, sendRaw } from '../rig/client.ts';
import { type Edge, startEdge } from '../rig/edge.ts';
import { WAYS } from '../rig/transports.ts';
import { attack } from './classes.ts';
import { type Attacked, fileFor, PAGE, rawAnswers, rawRequest, startAttacked } from './rig.ts';

let attacked: Attacked;

beforeAll(async () => {
  attacked = await startAttacked();
  attacked.ory.session('s-ada', 'ada');
});

afterAll(() => attacked?.close());

const SESSION: Lines = [['X-Session-Token', 's-ada']];
const FORGED = 'forged-identity';

describe(attack(7), () => {
  const SPELLINGS: readonly [string, Lines][] = [
    ['as configured', [['X-User-Id', FORGED]]],
    ['in lower case', [['x-user-id', FORGED]]],
    ['with underscores', [['X_User_Id', FORGED]]],
    ['with dots', [['X.User.Id', FORGED]]],
    [
      'with separators mixed',
      [
        ['x_user-id', FORGED],
        ['x-user_id', FORGED],
        ['X.user~ID', FORGED],
        ['x!user+id', FORGED],
      ],
    ],
    [
      'twice',
      [
        ['x-user-id', FORGED],
        ['X-User-Id', `${FORGED}2`],
      ],
    ],
    [
      'empty and full',
      [
        ['x-user-id', ''],
        ['x-user-id', FORGED],
      ],
    ],
    [
      'as the other identity header',
      [
        ['X-User-Traits', FORGED],
        ['x_user_traits', FORGED],
      ],
    ],
  ];
  const RULES: readonly [string, string, string, Lines][] = [
    ['a rule that asks nobody', 'GET', '/public/x', []],
    ['a rule that identifies nobody', 'GET', '/home', []],
    ['a rule that identifies', 'GET', '/home', SESSION],
    ['a rule that identifies, with a bad credential', 'GET', '/home', [['X-Session-Token', 'bad']]],
    ['a rule that requires a session', 'GET', '/admin/x', SESSION],
    [
      'a preflight',
      'OPTIONS',
      '/spa/x',
      [
        ['Origin', PAGE],
        ['Access-Control-Request-Method', 'PUT'],
      ],
    ],
  ];

  describe.each(WAYS)('over $protocol, checks over $transport', ({ protocol, transport }) => {
    describe.each(RULES)('on %s', (_rule, method, path, more) => {
      it.each(SPELLINGS)('a forged identity never arrives %s', async (_name, forged) => {
        const { url } = attacked.edges[transport];
        const seen = (await send(url, protocol, { method, path, headers: [...forged, ...more] })).seen();
        expect(seen.headers.filter(([, value]) => value.includes(FORGED))).toEqual([]);
        expect(seen.header('x-user-id')).toEqual(more === SESSION ? ['ada'] : []);
      });
    });
  });

  const ODD: readonly [string, readonly string[]][] = [
    ['behind a line that is folded', ['x-foo: a', ` X-User-Id: ${FORGED}`]],
    ['behind a carriage return', [`x-foo: a\rX-User-Id: ${FORGED}`]],
    ['behind a line feed', [`x-foo: a\nX-User-Id: ${FORGED}`]],
    ['with a space before the colon', [`X-User-Id : ${FORGED}`]],
    ['with a tab before the colon', [`X-User-Id\t: ${FORGED}`]],
    ['with a NUL in the name', [`X-User-Id\0: ${FORGED}`]],
    ['with a byte outside of ASCII', [`X-User-Id\xe9: ${FORGED}`]],
    ['in a chunk’s trailer', []],
  ];

  it.each(ODD)('nor %s, on a rule that asks nobody', async (name, lines) => {
    const trailer = `POST /public/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\ntrailer: x-user-id\r\n\r\n0\r\nx-user-id: ${FORGED}\r\n\r\n`;
    const bytes = lines.length === 0 ? trailer : rawRequest('GET /public/x HTTP/1.1', lines);
    const [answer] = await rawAnswers(attacked.edges.http, bytes);
    expect([200, 400]).toContain(answer?.status);
    if (answer?.status !== 200) return;
    const { headers } = JSON.parse(answer.body) as { headers: [string, string][] };
    // Folded into the value of another header it is a text like any other.
    const names = headers.filter(([, value]) => value.includes(FORGED)).map(([one]) => one);
    expect([name, names.filter((one) => one !== 'x-foo')]).toEqual([name, []]);
  });

  it('the authorizer removes them by itself, behind an Envoy that does not', async () => {
    for (const transport of TRANSPORTS) {
      const edge = await startEdge(fileFor(attacked.ory), transport, withoutEarlyRemoval);
      try {
        // Rules of which Envoy asks: what it lets in by itself needs its own removal.
        for (const [path, more] of [
          ['/home', SESSION],
          ['/home', [['X-Session-Token', 'bad']]],
          ['/admin/x', SESSION],
        ] as [string, Lines][]) {
          const forged: Lines = [
            ['X-User-Id', FORGED],
            ['x_user_id', FORGED],
            ['X.User-Traits', FORGED],
          ];
          const seen = (await send(edge.url, 'HTTP/1.1', { path, headers: [...forged, ...more] })).seen();
          expect(seen.headers.filter(([, value]) => value.includes(FORGED))).toEqual([]);
        }
      } finally {
        await edge.close();
      }
    }
  });
});

function withoutEarlyRemoval(yaml: string): string {
  const bootstrap = parse(yaml);
  const [filter] = bootstrap.static_resources.listeners[0].filter_chains[0].filters;
  expect(filter.typed_config.early_header_mutation_extensions).toBeDefined();
  delete filter.typed_config.early_header_mutation_extensions;
  return stringify(bootstrap, { aliasDuplicateObjects: false });
}

describe(attack(8), () => {
  describe.each(TRANSPORTS)('checks over %s', (transport) => {
    it.each(['close, X-User-Id', 'X-User-Id', 'keep-alive, x_user_id', 'close, authorization, cookie'])(
      'Connection takes no identity away: %s',
      async (connection) => {
        const headers: Lines = [['Connection', connection], ...SESSION];
        const answer = await send(attacked.edges[transport].url, 'HTTP/1.1', { path: '/admin/x', headers });
        expect(answer.seen().header('x-user-id')).toEqual(['ada']);
        expect(answer.seen().header('connection').join()).not.toMatch(/user/i);
      },
    );

    it('a credential that it takes away is taken away from everybody', async () => {
      const headers: Lines = [['Connection', 'close, x-session-token'], ...SESSION];
      const answer = await send(attacked.edges[transport].url, 'HTTP/1.1', { path: '/home', headers });
      expect([answer.seen().header('x-user-id'), answer.seen().header('x-session-token')]).toEqual([[], []]);
    });

    it('nor does that of a WebSocket, which reaches the application', async () => {
      const lines = ['upgrade: websocket', 'sec-websocket-version: 13', 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=='];
      const begin = (connection: string) =>
        sendRaw(
          attacked.edges[transport].url,
          [
            'GET /admin/x HTTP/1.1',
            'host: a',
            `connection: ${connection}`,
            ...lines,
            'x-session-token: s-ada',
            '',
            '',
          ].join('\r\n'),
          /\r\n\r\n/,
        );
      expect(await begin('Upgrade')).toContain('seen-user: ada');
      for (const connection of [
        'Upgrade, X-User-Id',
        'X-User-Id, Upgrade',
        'upgrade,\tx-user-id',
        'Upgrade, "a", x-user-id',
      ])
        expect(await begin(connection)).toMatch(/^HTTP\/1\.1 40[03] /);
    });
  });
});

describe(attack(9), () => {
  const STEERING: Lines = [
    ['X-Original-Url', '/public/x'],
    ['X-Original-Uri', '/public/x'],
    ['X_Original_Url', '/public/x'],
    ['X-Original-Method', 'GET'],
    ['X-Rewrite-Url', '/public/x'],
    ['X-Envoy-Original-Path', '/public/x'],
    ['X-Envoy-Original-Host', 'app.test'],
    ['X-HTTP-Method-Override', 'GET'],
    ['X-HTTP-Method', 'GET'],
    ['X-Method-Override', 'GET'],
    ['X-Forwarded-Host', 'app.test'],
    ['X-Forwarded-Uri', '/public/x'],
    ['X-Forwarded-Prefix', '/public'],
    ['X-Forwarded-Method', 'GET'],
    ['X-Forwarded-For', '127.0.0.1'],
    ['X-Forwarded-Proto', 'https'],
    ['Forwarded', 'for=127.0.0.1;host=app.test'],
    ['X-Real-Ip', '127.0.0.1'],
    ['True-Client-Ip', '6.6.6.6'],
    ['X-Envoy-Internal', 'true'],
    ['X-Envoy-Upstream-Rq-Timeout-Ms', '1'],
    ['X-Envoy-Retry-On', '5xx'],
    ['X-Request-Id', 'mine'],
  ];
  /** What the edge writes itself. */
  const OWN = ['x-forwarded-proto', 'x-request-id', 'x-envoy-expected-rq-timeout-ms'];

  describe.each(WAYS)('over $protocol, checks over $transport', ({ protocol, transport }) => {
    it.each(STEERING)('%s: %s changes no verdict', async (...header) => {
      const { url } = attacked.edges[transport];
      for (const [path, host] of [
        ['/admin/x', 'app.test'],
        ['/public/x', 'admin.test'],
      ] as const) {
        const answer = await send(url, protocol, { path, host, headers: [header] });
        expect([answer.status, answer.json()['reason']]).toEqual([401, 'credential_missing']);
      }
      const write = await send(url, protocol, { path: '/doc/x', method: 'POST', headers: [header] });
      expect(write.json()['reason']).toBe('credential_missing');
    });

    it('none of them reaches an application that would believe it', async () => {
      const { url } = attacked.edges[transport];
      const seen = (await send(url, protocol, { path: '/public/x', headers: STEERING })).seen();
      const arrived = STEERING.filter(([name, value]) =>
        seen.header(name.toLowerCase()).some((one) => one.includes(value)),
      );
      expect(arrived.map(([name]) => name.toLowerCase()).filter((name) => !OWN.includes(name))).toEqual([]);
      expect(seen.header('x-request-id')).not.toContain('mine');
      expect(seen.header('x-forwarded-proto')).toEqual(['http']);
    });
  });

  it('the authorizer’s own wire is not spoken by clients', async () => {
    const wire: Lines = [
      ['ory-edge-key', 'x'],
      ['ory-status', '503'],
      ['ory_status', '503'],
      ['ory-status-via', 'plain'],
      ['ory-reason', 'session'],
      ['ory-rule', 'public'],
      ['ory-policy', 'other'],
      ['ory_policy', 'other'],
      ['ory-cache-for', '9999'],
      ['x-envoy-auth-headers-to-remove', 'x-user-id'],
    ];
    for (const transport of TRANSPORTS) {
      const edge: Edge = attacked.edges[transport];
      const seen = (await send(edge.url, 'HTTP/1.1', { path: '/admin/x', headers: [...wire, ...SESSION] })).seen();
      expect(seen.header('x-user-id')).toEqual(['ada']);
      expect(seen.headers.filter(([name]) => /^ory[-_]/.test(name))).toEqual([]);
      const denied = await send(edge.url, 'HTTP/1.1', { path: '/admin/x', headers: wire });
      expect([denied.status, denied.json()['reason']]).toEqual([401, 'credential_missing']);
    }
  });
});
