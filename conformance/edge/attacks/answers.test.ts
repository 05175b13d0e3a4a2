// What leaves the edge: to whom it says yes, what its answers and logs give away, and where its redirects lead.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCheck } from '../../../src/check/check.ts';
import { IdentityCache } from '../../../src/check/identity/cache/memory.ts';
import { RecordingLog } from '../../../src/check/testing/recording-log.ts';
import { request } from '../../../src/check/testing/request.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { TRANSPORTS } from '../../../src/generate/envoy/transport.ts';
import { grpcClient } from '../../../src/server/testing/grpc-client.ts';
import { type Lines, send, sendRaw } from '../rig/client.ts';
import type { Edge } from '../rig/edge.ts';
import { WAYS } from '../rig/transports.ts';
import { attack } from './classes.ts';
import { type Attacked, LOGIN_URL, outcome, PAGE, rawAnswers, rawOutcome, rawRequest, startAttacked } from './rig.ts';
import { claimsOf, json, type ScriptedOry, sign } from './scripted-ory.ts';

let attacked: Attacked;
let ory: ScriptedOry;

beforeAll(async () => {
  attacked = await startAttacked();
  ory = attacked.ory;
  ory.session('s-ada', 'ada');
});

afterAll(() => attacked?.close());

const SESSION: Lines = [['X-Session-Token', 's-ada']];
const NAVIGATION: Lines = [
  ['Accept', 'text/html'],
  ['Sec-Fetch-Mode', 'navigate'],
  ['Sec-Fetch-Dest', 'document'],
];
let made = 0;

describe(attack(10), () => {
  describe.each(TRANSPORTS)('checks over %s', (transport) => {
    it.each([
      ['a line break', 'a\r\nX-User-Id: root'],
      ['a line feed', 'a\nX-User-Id: root'],
      ['a NUL', 'a\0b'],
      ['a tab', 'a\tb'],
      ['a DEL', 'a\x7fb'],
      ['a percent sign', '100%0d%0aX-User-Id: root'],
      ['other alphabets', 'Zoë 日本 \u2028\u0085'],
      ['half of a pair', 'a\ud800b'],
    ])('what a person writes into a trait is one header of printable ASCII: %s', async (_, name) => {
      const value = `s-odd-${made++}`;
      ory.session(value, 'x', { identity: { id: name, state: 'active', traits: { name } } });
      const headers: Lines = [['X-Session-Token', value]];
      const answer = await send(attacked.edges[transport].url, 'HTTP/1.1', { path: '/admin/x', headers });
      const seen = answer.seen();
      const [id = '', ...more] = seen.header('x-user-id');
      expect(more).toEqual([]);
      expect([id, ...seen.header('x-user-traits')].join('')).toMatch(/^[\x21-\x7e]+$/);
      expect(decodeURIComponent(id)).toBe(Buffer.from(name).toString());
      expect(seen.headers.filter(([, one]) => one === 'root')).toEqual([]);
    });

    it('so it is with claims', async () => {
      const sub = 'ada\r\nX-User-Id: root';
      const token = await sign(ory.rs256, claimsOf(ory, { sub, ext: { list: ['\r\n', 1, null] } }));
      const headers: Lines = [['Authorization', `Bearer ${token}`]];
      const seen = (await send(attacked.edges[transport].url, 'HTTP/2', { path: '/api/x', headers })).seen();
      expect(seen.header('x-user-id')).toEqual(['ada%0D%0AX-User-Id:%20root']);
      expect(seen.header('x-user-traits')).toEqual(['{"list":["\\r\\n",1,null]}']);
    });
  });
});

describe(attack(11), () => {
  const FAILING: readonly [string, Record<string, unknown>][] = [
    [
      'an identity too large for a header',
      { identity: { id: 'ada', state: 'active', traits: { a: 'x'.repeat(20_000) } } },
    ],
    ['no identity', { identity: null }],
    ['an identity without an id', { identity: { state: 'active' } }],
    ['an identity that is switched off', { identity: { id: 'ada', state: 'inactive' } }],
    ['a session that is not active', { active: false }],
    ['a session that says neither', { active: 'true' }],
    ['an end that is none', { expires_at: 'never' }],
    ['an end in the past', { expires_at: '2001-01-01T00:00:00Z' }],
  ];

  describe.each(TRANSPORTS)('checks over %s', (transport) => {
    it.each(FAILING)('a yes that cannot be believed or written is a no: %s', async (_, change) => {
      const edge = attacked.edges[transport];
      const value = `s-failing-${made++}`;
      ory.session(value, 'ada', change);
      const before = edge.app.count();
      expect(await outcome(edge, 'HTTP/1.1', '/admin/x', [['X-Session-Token', value]])).toMatch(
        /^(?:401 session_invalid|503 ory_error|503 internal_error)$/,
      );
      expect(edge.app.count()).toBe(before);
    });

    it('with the authorizer gone nobody gets in', async () => {
      const edge = attacked.edges[transport];
      const before = edge.app.count();
      await edge.authorizer.kill();
      try {
        for (const path of ['/admin/x', '/home', '/api/x', '/nowhere'])
          expect(await outcome(edge, 'HTTP/1.1', path, SESSION)).toBe('503 authorizer_unreachable');
        expect(edge.app.count()).toBe(before);
        expect(await outcome(edge, 'HTTP/1.1', '/public/x', [])).toBe('200 nobody /public/x');
      } finally {
        await edge.authorizer.start();
      }
      expect(await outcome(edge, 'HTTP/1.1', '/admin/x', SESSION)).toBe('200 ada /admin/x');
    });
  });

  it('bytes that are no check are no yes', async () => {
    const { http } = attacked.edges;
    const grpc = grpcClient(http.authorizerGrpc);
    try {
      for (const bytes of ['', '\x0a', '\x0a\xff\xff', 'garbage', '\0'.repeat(50)]) {
        const answer = await grpc.check(Buffer.from(bytes, 'latin1')).catch(() => undefined);
        // Field 1 is the status, and its code 0 would be a yes.
        if (answer) expect(Buffer.from(answer).toString('latin1')).toContain('path_ambiguous');
      }
    } finally {
      grpc.close();
    }
    for (const bytes of [
      'GET  HTTP/1.1\r\n\r\n',
      'garbage\r\n\r\n',
      'GET * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n',
    ])
      expect(await sendRaw(http.authorizerUrl, bytes)).not.toMatch(/^HTTP\/1\.1 2/);
  });

  it('whatever throws inside of a check is a denial', async () => {
    const config = parseConfig(
      'ory: { kratos: { public_url: http://127.0.0.1:1 } }\nedge: { upstream: http://127.0.0.1:1 }',
      'x',
      { env: {} },
    );
    const cache = new IdentityCache({ ...config.cache, clock: Date.now });
    const bug = () => {
      throw new Error('s-ada');
    };
    const log = new RecordingLog();
    const check = createCheck({
      config,
      cache,
      clock: Date.now,
      log,
      verifiers: { session: { verify: bug, stillTrusted: bug }, token: undefined },
    });
    const verdict = await check(request({ sessionToken: ['s-ada'] }));
    expect(verdict).toMatchObject({ kind: 'deny', reason: 'internal_error' });
    expect(log.text).not.toContain('s-ada');
  });
});

describe(attack(16), () => {
  describe.each(WAYS)('over $protocol, checks over $transport', ({ protocol, transport }) => {
    it.each<[string, string, Lines, number]>([
      ['a denial', '/admin/x', [], 401],
      ['a denial of what looks like a picture', '/admin/x.png', [], 401],
      ['a bad session', '/admin/x', [['X-Session-Token', 'bad']], 401],
      ['an ambiguous credential', '/admin/x', [['X-Session-Token', 'a, b']], 400],
      ['an ambiguous path', '/public/x;a', [], 400],
      ['no rule', '/nowhere', [], 403],
      ['a weak session', '/second/x', SESSION, 403],
      ['a redirect to the login', '/web/x', NAVIGATION, 302],
      ['a page for another origin', '/spa/x', [['Origin', PAGE]], 401],
      ['a host that is none', '/public/x', [['Host-Unused', 'x']], 200],
    ])('no cache keeps an answer of the edge: %s', async (_, path, headers, status) => {
      const answer = await send(attacked.edges[transport].url, protocol, { path, headers });
      expect([answer.status, answer.header('cache-control')]).toEqual([status, status === 200 ? [] : ['no-store']]);
    });
  });

  it('nor one of the authorizer’s, behind an Envoy that adds nothing', async () => {
    const { authorizerUrl } = attacked.edges.http;
    for (const [path, headers, status] of [
      ['/admin/x', [], 401],
      ['/nowhere', [], 403],
      ['/admin/x', [['X-Session-Token', 'a, b']], 400],
      ['/web/x', NAVIGATION, 302],
    ] as [string, Lines, number][]) {
      const answer = await send(authorizerUrl, 'HTTP/1.1', { path, headers });
      expect([answer.status, answer.header('cache-control')]).toEqual([status, ['no-store']]);
    }
  });

  it('nor one of Envoy’s own', async () => {
    const { http } = attacked.edges;
    for (const [line, ...lines] of [
      ['GET /public/x HTTP/1.1', 'host: a/b'],
      ['OPTIONS * HTTP/1.1'],
      ['GET /public/%00 HTTP/1.1'],
      ['GET /public/x HTTP/1.1', 'upgrade: foo, websocket', 'connection: upgrade'],
    ]) {
      const [answer] = await rawAnswers(http, rawRequest(line ?? '', lines));
      expect(answer?.status).toBeGreaterThanOrEqual(400);
      // What the codec refuses has no headers of ours, and no URL that a cache could keep it under.
      if (!answer?.body.startsWith('Bad Request')) expect(answer?.head).toMatch(/\ncache-control: no-store\r\n/);
    }
    ory.before = (_, response) => {
      response.destroy();
      return true;
    };
    try {
      const answer = await send(http.url, 'HTTP/1.1', { path: '/admin/x', headers: [['X-Session-Token', 's-outage']] });
      expect([answer.status, answer.header('cache-control'), answer.header('retry-after')]).toEqual([
        503,
        ['no-store'],
        ['1'],
      ]);
    } finally {
      ory.before = undefined;
    }
  });
});

describe(attack(26), () => {
  describe.each(TRANSPORTS)('checks over %s', (transport) => {
    it.each<[string, string, Lines]>([
      ['another host', '/web/x', [['host', 'evil.test']]],
      ['another host in an absolute target', 'http://evil.test/web/x', []],
      ['a host with a port and a dot', '/web/x', [['host', 'evil.test.:99']]],
      [
        'a forwarded host',
        '/web/x',
        [
          ['x-forwarded-host', 'evil.test'],
          ['x-forwarded-proto', 'https'],
        ],
      ],
      ['two slashes', '//evil.test/../web/x', []],
      ['a return_to of its own', '/web/x?return_to=https://evil.test/', []],
      ['a return_to behind an ampersand', '/web/x?a=1&return_to=https://evil.test/&b=2', []],
      ['a query that ends the value', '/web/x?%26return_to=https://evil.test', []],
      ['an encoded line break', '/web/x?a=%0d%0aLocation:%20https://evil.test', []],
      ['a backslash', '/web/\\evil.test', []],
      ['a scheme', '/web/https:evil.test', []],
      ['an at sign', '/web/@evil.test', []],
      ['markup', '/web/x?"><script>alert(1)</script>', []],
    ])('a redirect leads to the login, and back to the edge: %s', async (_, path, headers) => {
      const edge = attacked.edges[transport];
      const lines = [...NAVIGATION, ...headers].map(([name, value]) => `${name}: ${value}`);
      const [answer] = await rawAnswers(edge, rawRequest(`GET ${path} HTTP/1.1`, lines));
      expect(answer?.status).toBe(302);
      const locations = [...(answer?.head ?? '').matchAll(/\nlocation: ([^\r\n]*)\r\n/gi)].map(([, one]) => one ?? '');
      expect(locations.length).toBe(1);
      const location = new URL(locations[0] ?? '');
      expect(`${location.origin}${location.pathname}`).toBe(LOGIN_URL);
      const [returnTo = '', ...more] = location.searchParams.getAll('return_to');
      expect([new URL(returnTo).origin, more, [...location.searchParams.keys()]]).toEqual([
        edge.url,
        [],
        ['return_to'],
      ]);
      expect(new URL(returnTo).pathname).toMatch(/^\/web\//);
    });

    it('what Kratos says of a second factor is followed only as an address', async () => {
      const edge = attacked.edges[transport];
      const said = 'https://kratos.test/self-service/login/browser?aal=aal2';
      // In place of what is none, the login flow of the configuration.
      const own = `${LOGIN_URL}?aal=aal2`;
      for (const [target, expected] of [
        [said, said],
        [`${said}&return_to=https://evil.test/`, said],
        ['javascript:alert(1)', own],
        ['//evil.test/x', own],
        ['https://evil.test/\r\nset-cookie: a=b', own],
        [['https://evil.test'], own],
        [undefined, own],
      ] as const) {
        ory.before = (_, response) => {
          json(response, 403, { error: { id: 'session_aal2_required' }, redirect_browser_to: target });
          return true;
        };
        try {
          const headers: Lines = [...NAVIGATION, ['X-Session-Token', `s-remedy-${made++}`]];
          const answer = await send(edge.url, 'HTTP/1.1', { path: '/web/x', headers });
          const back = encodeURIComponent(`${edge.url}/web/x`);
          expect([target, answer.status, answer.header('location')]).toEqual([
            target,
            302,
            [`${expected}&return_to=${back}`],
          ]);
        } finally {
          ory.before = undefined;
        }
      }
    });
  });
});

describe(attack(28), () => {
  const preflight = (origin: string, method = 'PUT'): Lines => [
    ['Origin', origin],
    ['Access-Control-Request-Method', method],
  ];
  const denied = '401 credential_missing';

  describe.each(WAYS)('over $protocol, checks over $transport', ({ protocol, transport }) => {
    it.each<[string, string, string, Lines, string]>([
      ['a real one of a named page', 'OPTIONS', '/spa/x', preflight(PAGE), '200 nobody /spa/x'],
      ['with a forged identity', 'OPTIONS', '/spa/x', [...preflight(PAGE), ['X-User-Id', 'root']], '200 nobody /spa/x'],
      ['of another page', 'OPTIONS', '/spa/x', preflight('https://evil.test'), denied],
      ['of a page whose name goes on', 'OPTIONS', '/spa/x', preflight(`${PAGE}.evil.test`), denied],
      ['of a page in other case', 'OPTIONS', '/spa/x', preflight(PAGE.toUpperCase()), denied],
      ['of no page', 'OPTIONS', '/spa/x', preflight('null'), denied],
      ['of two pages', 'OPTIONS', '/spa/x', [...preflight(PAGE), ['Origin', 'https://evil.test']], denied],
      ['on a rule without cors', 'OPTIONS', '/admin/x', preflight(PAGE), denied],
      ['without an origin', 'OPTIONS', '/spa/x', [['Access-Control-Request-Method', 'PUT']], denied],
      ['without a method', 'OPTIONS', '/spa/x', [['Origin', PAGE]], denied],
      ['with two methods', 'OPTIONS', '/spa/x', preflight(PAGE, 'PUT, GET'), denied],
      ['with an empty method', 'OPTIONS', '/spa/x', preflight(PAGE, ''), denied],
      ['by GET', 'GET', '/spa/x', preflight(PAGE), denied],
      ['by POST', 'POST', '/spa/x', preflight(PAGE), denied],
      [
        'with a bad session',
        'OPTIONS',
        '/spa/x',
        [...preflight(PAGE), ['X-Session-Token', 'bad']],
        '401 session_invalid',
      ],
      [
        'with a bad cookie',
        'OPTIONS',
        '/spa/x',
        [...preflight(PAGE), ['Cookie', 'ory_kratos_session=bad']],
        '401 session_invalid',
      ],
      ['with a foreign cookie', 'OPTIONS', '/spa/x', [...preflight(PAGE), ['Cookie', 'a=b']], denied],
      [
        'with a foreign Authorization',
        'OPTIONS',
        '/spa/x',
        [...preflight(PAGE), ['Authorization', 'Basic YTpi']],
        denied,
      ],
    ])('only a real preflight passes, and as nobody: %s', async (_, method, path, headers, expected) => {
      expect(await outcome(attacked.edges[transport], protocol, path, headers, method)).toBe(expected);
    });
  });
});

describe(attack(30), () => {
  it.each(TRANSPORTS)('a credential is in no log, no answer and no label, over %s', async (transport) => {
    const edge = attacked.edges[transport];
    const secret = (name: string) => `canary-${name}-${transport}-${made++}`;
    const token = await sign(ory.rs256, claimsOf(ory, { jti: secret('jti') }));
    const used = {
      token: secret('token'),
      cookie: secret('cookie'),
      bearer: secret('bearer'),
      query: secret('query'),
      basic: secret('basic'),
      broken: `${secret('broken')}"\\`,
      long: secret('long').padEnd(17_000, 'x'),
      jwt: token.split('.')[2] ?? '',
      csrf: secret('csrf'),
    };
    const requests: [string, Lines][] = [
      ['/admin/x', [['X-Session-Token', used.token]]],
      ['/admin/x', [['Cookie', `csrf_token=${used.csrf}; ory_kratos_session=${used.cookie}`]]],
      ['/web/x', [...NAVIGATION, ['Cookie', `ory_kratos_session=${used.cookie}`]]],
      ['/api/x', [['Authorization', `Bearer ${used.bearer}`]]],
      ['/admin/x', [['Authorization', `Basic ${used.basic}`]]],
      [`/public/x?access_token=${used.query}`, []],
      [`/admin/x?ory_st_=${used.query}`, []],
      ['/admin/x', [['X-Session-Token', used.broken]]],
      ['/admin/x', [['X-Session-Token', used.long]]],
      ['/admin/x', [['X-Session-Token', `${used.token}, ${used.bearer}`]]],
      ['/api/x', [['Authorization', `Bearer ${token}`]]],
      ['/api/x', [['Authorization', `Bearer ${token.slice(0, -2)}`]]],
    ];
    const ask = async () => {
      for (const [path, headers] of requests) {
        const answer = await send(edge.url, 'HTTP/1.1', { path, headers });
        if (answer.status === 200 || answer.status === 302) continue;
        for (const value of Object.values(used)) expect(answer.body.includes(value.slice(0, 60))).toBe(false);
      }
    };
    await ask();
    ory.before = (_, response) => {
      response.destroy();
      return true;
    };
    try {
      await ask();
    } finally {
      ory.before = undefined;
    }
    const stats = await (await fetch(`${edge.envoy.adminUrl}/stats`)).text();
    const written = `${edge.authorizer.log()}\n${edge.envoyLog()}\n${stats}`;
    expect(written).toMatch(/"reason": ?"/);
    for (const [name, value] of Object.entries(used))
      expect(written.includes(value.slice(0, 60)), `the ${name} was written`).toBe(false);
  });
});

describe(attack(31), () => {
  it.each(TRANSPORTS)('an event is one line of JSON, whatever a client writes, over %s', async (transport) => {
    const edge = attacked.edges[transport];
    const line = '{"level":50,"reason":"session","msg":"forged"}';
    const lines = [`x-request-id: ${line}`, `x-forwarded-for: ${line}`, `user-agent: ${line}`, `origin: ${line}`];
    for (const path of [`/public/${line}`, '/public/%0a%7b%22reason%22', '/admin/"x', `/nowhere?${line}`])
      for (const host of ['app.test', 'a"b', "a'b", 'a{b}', 'a,b'])
        await rawOutcome(edge, `GET ${path} HTTP/1.1`, `host: ${host}`, ...lines);
    const value = `s-lines-${made++}`;
    ory.session(value, 'ada', { identity: { id: 'ada', state: 'active', traits: { a: `${line}\n`.repeat(500) } } });
    expect(await outcome(edge, 'HTTP/1.1', '/admin/x', [['X-Session-Token', value]])).toBe('503 internal_error');
    const events = [...edge.authorizer.log().split('\n'), ...accessLines(edge)].filter((one) => one !== '');
    expect(events.length).toBeGreaterThan(5);
    for (const event of events) {
      const parsed: unknown = JSON.parse(event);
      expect(typeof parsed).toBe('object');
      expect(parsed).not.toMatchObject({ msg: 'forged' });
    }
  });

  /** Envoy writes its own log beside the access log. */
  function accessLines(edge: Edge): string[] {
    return edge
      .envoyLog()
      .split('\n')
      .filter((one) => !/^\[\d{4}-/.test(one));
  }
});

describe(attack(34), () => {
  it('who can reach the edge reaches no admin port of it, and changes nothing there', async () => {
    const { http, grpc } = attacked.edges;
    for (const edge of [http, grpc]) {
      for (const path of ['/health/ready', '/stats', '/config_dump', '/ready', '/quitquitquit', '/logging'])
        expect([path, await outcome(edge, 'HTTP/1.1', path)]).toEqual([path, '403 no_rule']);
      const admin = edge.envoy.adminUrl;
      for (const path of [
        '/quitquitquit',
        '/logging?level=trace',
        '/drain_listeners',
        '/healthcheck/fail',
        '/reset_counters',
        '/cpuprofiler?enable=y',
        '/runtime_modify?a=b',
      ])
        expect([path, (await fetch(`${admin}${path}`, { method: 'POST' })).status]).toEqual([path, 403]);
      for (const [path, method] of [
        ['/', 'GET'],
        ['/health/ready', 'POST'],
        ['/sessions', 'DELETE'],
        ['/metrics/../x', 'GET'],
      ] as const)
        expect([path, (await fetch(`${edge.adminUrl}${path}`, { method })).status]).toEqual([path, 404]);
      expect((await fetch(`${edge.adminUrl}/health/ready`)).status).toBe(200);
      // The data port of the authorizer judges, and does nothing else.
      expect((await fetch(`${edge.authorizerUrl}/health/ready`)).status).toBe(403);
    }
  });

  it('all of them are on loopback where the file does not say otherwise', () => {
    const { edge, serve } = parseConfig(
      'ory: { kratos: { public_url: http://127.0.0.1:1 } }\nedge: { upstream: http://127.0.0.1:1 }',
      'x',
      { env: {} },
    );
    expect([edge.admin.host, serve.admin.host, serve.http.host, serve.grpc.host]).toEqual(Array(4).fill('127.0.0.1'));
  });
});
