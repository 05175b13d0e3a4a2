// Attacks on a real Envoy that Istio's control plane drives from what `ory-envoy generate istio` wrote: at a gateway and in
// a sidecar, with a policy that is asked about and with one that Istio judges alone.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sendRaw } from '../edge/rig/client.ts';
import { freePorts } from '../ports.ts';
import { type RunningBacking, startBacking } from './backing.ts';
import { type RunningIstio, startIstio } from './istio.ts';
import { AUDIENCE, came, foreignJwt, identities, madeJwt, madeSession, type Session } from './istio-rig.ts';

const MODES = ['gateway', 'sidecar'] as const;

const COMMON = {
  tokens: { audiences: [AUDIENCE] },
  identity_headers: { 'X-User-Id': ['session.identity.id', 'token.sub'] },
};
const session = { require: { session: {} } };
const token = (scope: string) => ({ require: { token: { scopes: [scope] } } });
const open = { allow: 'anyone' };

/** Stricter rules inside of an open one, before and after it. */
const ASKED = {
  ...COMMON,
  ory: { url: 'http://127.0.0.1:4455' },
  rules: [
    { name: 'internal', match: { path: '/public/internal/**' }, ...session },
    { name: 'upload', match: { path: '/public/**', methods: ['POST'] }, ...session },
    { name: 'tenant', match: { path: '/public/*/private' }, ...session },
    { name: 'partner', match: { host: 'partner.test', path: '/public/**' }, ...session },
    { name: 'public', match: { path: '/public/**' }, ...open },
    { name: 'api', match: { path: '/api/**' }, ...token('read') },
    { name: 'web', match: { path: '/web/**' }, ...session },
  ],
};

/** Nobody is asked: JWTs and what is open. */
const NATIVE = {
  ...COMMON,
  ory: { hydra: { public_url: 'http://127.0.0.1:4455', issuer: 'http://127.0.0.1:4455' } },
  rules: [
    { name: 'admin', match: { path: '/api/admin/**' }, ...token('admin') },
    { name: 'write', match: { path: '/api/**', methods: ['POST'] }, ...token('write') },
    { name: 'api', match: { path: '/api/**' }, ...token('read') },
    { name: 'inner', match: { path: '/public/inner/**' }, ...token('read') },
    { name: 'public', match: { path: '/public/**' }, ...open },
  ],
};

/** Names that some application takes for X-User-Id. */
const SPELLINGS = ['x-user-id', 'X-USER-ID', 'x_user_id', 'x-user_id', 'X.User.Id', 'x~user~id'];
const FORGED = SPELLINGS.map((name): [string, string] => [name, 'root']);

/** None of them is one path alone. */
const AMBIGUOUS = [
  '/public/x;y',
  '/public/%2f..%2fweb/x',
  '/public/%252e%252e/web',
  '/public/a%2fb',
  '/public/a%5cb',
  '/public/a%25',
  '/public/a%',
  '/public/a%00',
  '/public/%c0%ae%c0%ae/web',
  '/public/a%3b',
  '/public/a%3f',
];

describe.each(MODES)('asked about, %s', (mode) => {
  let backing: RunningBacking;
  let edge: RunningIstio;
  let ada: Session;
  beforeAll(async () => {
    backing = await startBacking(ASKED);
    const [port = 0] = await freePorts(1);
    edge = await startIstio(mode, backing, port);
    ada = await madeSession(backing, 'ada');
  });
  afterAll(async () => {
    await edge?.close();
    await backing?.close();
  });

  test.each(['/public/x', '/web/x', '/api/x'])('a forged identity does not reach %s, in any spelling', async (path) => {
    const jwt = await madeJwt(backing);
    const credential: [string, string][] =
      path === '/api/x' ? [['authorization', `Bearer ${jwt}`]] : path === '/web/x' ? [['cookie', ada.cookie]] : [];
    for (const protocol of [undefined, 'HTTP/2'] as const) {
      const seen = await came(edge, path, [...credential, ...FORGED], protocol ? { protocol } : {});
      expect(seen.status).toBe(200);
      expect(identities(seen)).toEqual(path === '/public/x' ? [] : ['ada']);
    }
  });

  test.each(AMBIGUOUS)('%s reaches nobody', async (path) => {
    const answer = await sendRaw(
      edge.url,
      `GET ${path} HTTP/1.1\r\nhost: a.test\r\ncookie: ${ada.cookie}\r\nconnection: close\r\n\r\n`,
    );
    expect(answer).not.toContain('x-seen');
    expect(answer).toMatch(/^HTTP\/1\.1 40[0-9]/);
  });

  test('a stricter rule inside of an open one is its own', async () => {
    for (const [path, more] of [
      ['/public/internal/x', {}],
      ['/public/internal', {}],
      ['/public//internal/x', {}],
      ['/public/x/../internal/x', {}],
      ['/%70ublic/internal/x', {}],
      ['/public/..;/web/x', {}],
      ['/public/%2e%2e/web/x', {}],
      ['/public/x', { method: 'POST' }],
      ['/public/a/private', {}],
      ['/public/x', { host: 'partner.test' }],
      ['/public/x', { host: 'PARTNER.test:8080' }],
      ['/public/x', { host: 'partner.test.' }],
    ] as const) {
      expect((await came(edge, path, [], more)).status, `${JSON.stringify(more)} ${path}`).toBe(401);
      expect((await came(edge, path, [['cookie', ada.cookie]], more)).status, path).toBe(200);
    }
    for (const path of ['/public', '/public/x', '/public/internals', '/public/a/b', '/public/x?internal'])
      expect((await came(edge, path)).status, path).toBe(200);
  });

  test('no rule is a denial', async () => {
    for (const path of ['/', '/publicx', '/Public/x', '/nothing'])
      expect((await came(edge, path, [['cookie', ada.cookie]])).status, path).toBe(403);
  });

  test('what the edge and the authorizer say to each other, a client cannot', async () => {
    const seen = await came(edge, '/public/x', [
      ['ory-edge-key', 'web cx'],
      ['ory-policy', 'x'],
      ['x-original-url', '/web/x'],
      ['x-http-method-override', 'DELETE'],
    ]);
    expect(seen.seen?.map(([name]) => name)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(ory-|x-original|x-http-method)/i)]),
    );
  });

  test('credentials in two lines are not read as one', async () => {
    for (const lines of [
      `cookie: ${ada.cookie}\r\ncookie: ory_kratos_session=other`,
      `authorization: Bearer ${await madeJwt(backing)}\r\nauthorization: Bearer x`,
    ]) {
      const path = lines.startsWith('cookie') ? '/web/x' : '/api/x';
      const answer = await sendRaw(
        edge.url,
        `GET ${path} HTTP/1.1\r\nhost: a.test\r\n${lines}\r\nconnection: close\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 40[01]/);
    }
  });
});

describe.each(MODES)('judged by Istio alone, %s', (mode) => {
  let backing: RunningBacking;
  let edge: RunningIstio;
  beforeAll(async () => {
    backing = await startBacking(NATIVE);
    const [port = 0] = await freePorts(1);
    // Another team allows everything at the same workload.
    edge = await startIstio(mode, backing, port, [], (objects) => [...objects, allowAll(mode)]);
  });
  afterAll(async () => {
    await edge?.close();
    await backing?.close();
  });
  const bearer = (jwt: string): [string, string] => ['authorization', `Bearer ${jwt}`];

  test('a token of the issuer passes, with its subject and with no other identity', async () => {
    const seen = await came(edge, '/api/x', [bearer(await madeJwt(backing)), ...FORGED]);
    expect(seen.status).toBe(200);
    expect(identities(seen)).toEqual(['ada']);
  });

  test('without one nobody passes, whatever another policy allows', async () => {
    const now = Math.floor(Date.now() / 1_000);
    const tokens: Readonly<Record<string, [string, string] | undefined>> = {
      none: undefined,
      empty: ['authorization', 'Bearer '],
      garbage: bearer('a.b.c'),
      'in lower case': ['authorization', `bearer ${await madeJwt(backing)}`],
      foreign: bearer(await foreignJwt(backing)),
      unsigned: bearer((await madeJwt(backing)).replace(/[^.]*$/, '')),
      expired: bearer(await madeJwt(backing, { exp: now - 61 })),
      'not yet valid': bearer(await madeJwt(backing, { nbf: now + 120 })),
      'another issuer': bearer(await madeJwt(backing, { iss: 'https://other.test' })),
      'another audience': bearer(await madeJwt(backing, { aud: ['https://other.test'] })),
      'one that never ends': bearer(await madeJwt(backing, { exp: undefined })),
      'one that ends in words': bearer(await madeJwt(backing, { exp: 'never' })),
      'a logout token': bearer(await madeJwt(backing, { events: {} })),
      'a subject of two lines': bearer(await madeJwt(backing, { sub: 'a\r\nx-admin: 1' })),
      'a subject that is no plain text': bearer(await madeJwt(backing, { sub: 'ad a' })),
      'two tokens': [
        'authorization',
        `Bearer ${await madeJwt(backing)}, Bearer ${await madeJwt(backing, { sub: 'eve' })}`,
      ],
      'an ID token': bearer(await madeJwt(backing, { aud: ['client'], client_id: undefined, scp: undefined })),
      'an ID token for this audience': bearer(await madeJwt(backing, { client_id: undefined })),
    };
    for (const [name, line] of Object.entries(tokens)) {
      for (const path of ['/api/x', '/public/inner/x']) {
        const seen = await came(edge, path, [...(line ? [line] : []), ...FORGED]);
        expect(seen.seen, `${name}: ${path}`).toBeUndefined();
        expect([401, 403], name).toContain(seen.status);
      }
    }
  });

  test('who has no token is told to get one, who has one that does not suffice is not', async () => {
    const none = await came(edge, '/api/x');
    expect(none.status).toBe(401);
    expect(none.answer.header('www-authenticate')).toEqual(['Bearer realm="https://edge.test"']);
    expect(none.answer.json()).toMatchObject({ reason: 'credential_missing', status: 401 });
  });

  test('a token in the query is none', async () => {
    expect((await came(edge, `/api/x?access_token=${await madeJwt(backing)}`)).seen).toBeUndefined();
  });

  test('an open rule passes without an identity, and a forged one does not', async () => {
    const seen = await came(edge, '/public/x', FORGED);
    expect(seen.status).toBe(200);
    expect(identities(seen)).toEqual([]);
  });

  test('nor does the identity of a good token, where a rule is open', async () => {
    const seen = await came(edge, '/public/x', [bearer(await madeJwt(backing))]);
    expect(seen.status).toBe(200);
    expect(identities(seen)).toEqual([]);
    expect(identities(await came(edge, '/public/inner/x', [bearer(await madeJwt(backing))]))).toEqual(['ada']);
  });

  test('a preflight brings no identity along', async () => {
    const preflight: [string, string][] = [
      ['origin', 'https://evil.test'],
      ['access-control-request-method', 'GET'],
    ];
    expect((await came(edge, '/api/x', [...preflight, ...FORGED], { method: 'OPTIONS' })).seen).toBeUndefined();
    const seen = await came(edge, '/public/x', [...preflight, ...FORGED], { method: 'OPTIONS' });
    expect(identities(seen)).toEqual([]);
  });

  test.each(AMBIGUOUS)('%s reaches nobody', async (path) => {
    const answer = await sendRaw(
      edge.url,
      `GET ${path} HTTP/1.1\r\nhost: a.test\r\nauthorization: Bearer ${await madeJwt(backing)}\r\nconnection: close\r\n\r\n`,
    );
    expect(answer).not.toContain('x-seen');
    expect(answer).toMatch(/^HTTP\/1\.1 40[0-9]/);
  });

  /** The other team's policy opens what no rule matches, so here it is left out. */
  test('the first match counts, and no rule is a denial', async () => {
    const [port = 0] = await freePorts(1);
    const alone = await startIstio(mode, backing, port);
    try {
      const read = bearer(await madeJwt(backing));
      const write = bearer(await madeJwt(backing, { scp: ['write'] }));
      const both = bearer(await madeJwt(backing, { scp: ['read', 'admin'] }));
      const cases = [
        [200, '/api/x', read, {}],
        [403, '/api/x', write, {}],
        [200, '/api/x', write, { method: 'POST' }],
        [403, '/api/x', read, { method: 'POST' }],
        [403, '/api/admin/x', read, {}],
        [403, '/api/admin', read, { method: 'POST' }],
        [403, '/api//admin/x', read, {}],
        [403, '/api/x/../admin/x', read, {}],
        [403, '/public/..;/api/admin/x', read, {}],
        [401, '/public/%2e%2e/api/x', undefined, {}],
        [200, '/api/admin/x', both, {}],
        [200, '/api/administration', read, {}],
        [401, '/public/inner', undefined, {}],
        [200, '/public/inners', undefined, {}],
        [403, '/other', read, {}],
        [403, '/Api/x', read, {}],
      ] as const;
      for (const [status, path, line, more] of cases) {
        const seen = await came(alone, path, line ? [line] : [], more);
        expect(seen.status, `${JSON.stringify(more)} ${path}`).toBe(status);
      }
    } finally {
      await alone.close();
    }
  });
});

test('without the EnvoyFilter another spelling of the identity header, and a path of two readings, would pass', async () => {
  const backing = await startBacking(NATIVE);
  const [port = 0] = await freePorts(1);
  const edge = await startIstio('gateway', backing, port, [], (objects) =>
    objects.filter(({ kind }) => kind !== 'EnvoyFilter'),
  );
  try {
    expect(identities(await came(edge, '/public/x', FORGED))).not.toEqual([]);
    expect((await came(edge, '/public/x;y')).status).toBe(200);
  } finally {
    await edge.close();
    await backing.close();
  }
});

function allowAll(mode: 'gateway' | 'sidecar') {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'other-team', namespace: mode === 'gateway' ? 'istio-system' : 'shop' },
    spec: { action: 'ALLOW', rules: [{}] },
  };
}
