// Sessions through a real Envoy, judged against a real Kratos, over HTTP/1.1 and HTTP/2.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TRANSPORTS } from '../../src/generate/envoy/transport.ts';
import type { BrowserSession, Ory, Person, Session } from '../ory/ory.ts';
import { ORYS } from '../ory/orys.ts';
import { expectNoCredential } from './rig/canary.ts';
import { type Lines, send, sendRaw } from './rig/client.ts';
import type { Edge } from './rig/edge.ts';
import { LOGIN_URL, policy } from './rig/policy.ts';
import { type Edges, startEdges, WAYS } from './rig/transports.ts';

describe.each(ORYS)('with $name', ({ start }) => {
  let ory: Ory;
  let edges: Edges;
  let edge: Edge;
  let ada: Person;
  let grace: Person;
  let native: Session;
  let browser: BrowserSession;
  let other: Session;
  let otherBrowser: BrowserSession;

  beforeAll(async () => {
    ory = await start();
    edges = await startEdges(() => policy(ory, { cache: { ttl: '0s', negative_ttl: '0s' } }));
    ada = await ory.createPerson();
    grace = await ory.createPerson();
    native = await ory.login(ada);
    browser = await ory.loginBrowser(ada);
    other = await ory.login(grace);
    otherBrowser = await ory.loginBrowser(grace);
  });

  afterAll(async () => {
    await edges?.close();
    await ory?.close();
    for (const transport of TRANSPORTS)
      expectNoCredential(edges[transport], [
        native.token,
        other.token,
        browser.cookie.value,
        otherBrowser.cookie.value,
      ]);
  });

  const cookie = (session: BrowserSession) => `${session.cookie.name}=${session.cookie.value}`;

  describe.each(WAYS)('sessions over $protocol, checks over $transport', ({ protocol, transport }) => {
    beforeAll(() => {
      edge = edges[transport];
    });
    const get = (headers: Lines, path = '/app/x') => send(edge.url, protocol, { path, headers });

    const valid: [string, () => Lines][] = [
      ['X-Session-Token', () => [['X-Session-Token', native.token]]],
      ['the session cookie', () => [['Cookie', cookie(browser)]]],
      ['the session cookie among others', () => [['Cookie', `a=1; ${cookie(browser)}; b=2`]]],
      ['a bearer session token', () => [['Authorization', `Bearer ${native.token}`]]],
      ['a bearer session token with a lower-case scheme', () => [['Authorization', `bearer ${native.token}`]]],
      [
        'an empty X-Session-Token beside a cookie',
        () => [
          ['X-Session-Token', ''],
          ['Cookie', cookie(browser)],
        ],
      ],
      [
        'an empty cookie beside a bearer',
        () => [
          ['Cookie', `${browser.cookie.name}=`],
          ['Authorization', `Bearer ${native.token}`],
        ],
      ],
      [
        'one X-Session-Token twice',
        () => [
          ['X-Session-Token', native.token],
          ['X-Session-Token', native.token],
        ],
      ],
      ['one cookie twice', () => [['Cookie', `${cookie(browser)}; ${cookie(browser)}`]]],
      [
        'a Basic Authorization beside a cookie',
        () => [
          ['Authorization', 'Basic YTpi'],
          ['Cookie', cookie(browser)],
        ],
      ],
    ];
    it.each(valid)('lets %s in and says who it is', async (_name, headers) => {
      const answer = await get(headers());
      expect(answer.status).toBe(200);
      expect(answer.seen().header('x-user-id')).toEqual([ada.id]);
      expect(answer.seen().header('x-user-email')).toEqual([ada.email]);
    });

    const refused: [string, () => Lines, number, string][] = [
      ['nothing', () => [], 401, 'credential_missing'],
      ['a garbage X-Session-Token', () => [['X-Session-Token', 'garbage']], 401, 'session_invalid'],
      ['a well-formed unknown token', () => [['X-Session-Token', `ory_st_${'a'.repeat(32)}`]], 401, 'session_invalid'],
      ['a garbage cookie', () => [['Cookie', `${browser.cookie.name}=garbage`]], 401, 'session_invalid'],
      ['a cookie cut short', () => [['Cookie', cookie(browser).slice(0, -9)]], 401, 'session_invalid'],
      [
        'a valid session under a foreign cookie name',
        () => [['Cookie', `session=${browser.cookie.value}`]],
        401,
        'credential_missing',
      ],
      [
        'a bad X-Session-Token that masks a good cookie',
        () => [
          ['X-Session-Token', 'garbage'],
          ['Cookie', cookie(browser)],
        ],
        401,
        'session_invalid',
      ],
      [
        'a bad X-Session-Token that masks a good bearer',
        () => [
          ['X-Session-Token', 'garbage'],
          ['Authorization', `Bearer ${native.token}`],
        ],
        401,
        'session_invalid',
      ],
      [
        'a garbage cookie that masks a good bearer',
        () => [
          ['Cookie', `${browser.cookie.name}=garbage`],
          ['Authorization', `Bearer ${native.token}`],
        ],
        401,
        'session_invalid',
      ],
      [
        'two different X-Session-Tokens',
        () => [
          ['X-Session-Token', native.token],
          ['X-Session-Token', other.token],
        ],
        400,
        'credential_ambiguous',
      ],
      [
        'two different session cookies',
        () => [['Cookie', `${cookie(browser)}; ${cookie(otherBrowser)}`]],
        400,
        'credential_ambiguous',
      ],
      [
        'two different session cookies in two lines',
        () => [
          ['Cookie', cookie(browser)],
          ['Cookie', cookie(otherBrowser)],
        ],
        400,
        'credential_ambiguous',
      ],
      [
        'two different Authorizations',
        () => [
          ['Authorization', `Bearer ${native.token}`],
          ['Authorization', `Bearer ${other.token}`],
        ],
        400,
        'credential_ambiguous',
      ],
      [
        'two cookies under one pattern',
        () => [['Cookie', `ory_session_a=x; ory_session_b=y`]],
        400,
        'credential_ambiguous',
      ],
      [
        'a quoted cookie',
        () => [['Cookie', `${browser.cookie.name}="${browser.cookie.value}"`]],
        401,
        'credential_malformed',
      ],
      [
        'a bearer with a space in it',
        () => [['Authorization', `Bearer ${native.token} x`]],
        401,
        'credential_malformed',
      ],
      ['an over-long token', () => [['X-Session-Token', 'a'.repeat(17_000)]], 401, 'credential_malformed'],
    ];
    it.each(refused)('refuses %s', async (_name, headers, status, reason) => {
      const before = edge.app.count();
      const answer = await get(headers());
      expect({ status: answer.status, reason: answer.json()['reason'] }).toEqual({ status, reason });
      expect(answer.header('content-type')).toEqual(['application/problem+json']);
      expect(answer.header('cache-control')).toEqual(['no-store']);
      expect(answer.json()).toMatchObject({
        status,
        type: `urn:ory-envoy:reason:${reason}`,
        request_id: expect.stringMatching(/^[\w-]+$/),
      });
      expect([...answer.header('ory-reason'), ...answer.header('ory-rule')]).toEqual([]);
      expect(edge.app.count()).toBe(before);
    });

    it('takes the X-Session-Token before the cookie, as Kratos does', async () => {
      const answer = await get([
        ['X-Session-Token', other.token],
        ['Cookie', cookie(browser)],
      ]);
      expect(answer.seen().header('x-user-id')).toEqual([grace.id]);
    });

    it('takes the cookie before the bearer, as Kratos does', async () => {
      const answer = await get([
        ['Authorization', `Bearer ${other.token}`],
        ['Cookie', cookie(browser)],
      ]);
      expect(answer.seen().header('x-user-id')).toEqual([ada.id]);
    });

    it('never sees a session cookie hidden inside another cookie', async () => {
      const answer = await get([['Cookie', `a="x; ${cookie(browser)}"`]]);
      expect(answer.status).toBe(401);
    });

    it('refuses a session that was revoked, logged out, or whose identity was switched off', async () => {
      const person = await ory.createPerson();
      const [revoked, loggedOut, switchedOff] = [
        await ory.login(person),
        await ory.login(person),
        await ory.login(person),
      ];
      const statusOf = async (session: Session) => {
        const answer = await get([['X-Session-Token', session.token]]);
        return answer.status === 200 ? 200 : answer.json()['reason'];
      };
      expect(await statusOf(revoked)).toBe(200);
      await ory.revokeSession(revoked.id);
      expect(await statusOf(revoked)).toBe('session_invalid');
      expect(await statusOf(loggedOut)).toBe(200);
      await ory.logout(loggedOut);
      expect(await statusOf(loggedOut)).toBe('session_invalid');
      expect(await statusOf(switchedOff)).toBe(200);
      await ory.setPersonState(person.id, 'inactive');
      expect(await statusOf(switchedOff)).toBe('session_invalid');
    });

    it('answers HEAD without a body and with the same status', async () => {
      const refusedHead = await send(edge.url, protocol, { method: 'HEAD', path: '/app/x' });
      expect([refusedHead.status, refusedHead.body]).toEqual([401, '']);
      const allowed = await send(edge.url, protocol, {
        method: 'HEAD',
        path: '/app/x',
        headers: [['X-Session-Token', native.token]],
      });
      expect(allowed.status).toBe(200);
    });

    it('writes odd traits as one encoded header value', async () => {
      const odd = await ory.createPerson({ name: { first: 'Zoë\r\nX-User-Id: admin', last: '100 % 日本' } });
      const session = await ory.login(odd);
      const seen = (await get([['X-Session-Token', session.token]])).seen();
      expect(seen.header('x-user-id')).toEqual([odd.id]);
      const [traits = ''] = seen.header('x-user-traits');
      expect(traits).toMatch(/^[\x21-\x7e]+$/);
      expect(JSON.parse(decodeURIComponent(traits))).toMatchObject({
        name: { first: 'Zoë\r\nX-User-Id: admin', last: '100 % 日本' },
      });
    });

    it('sends a navigation to the login with a return_to on the edge, and everything else a 401', async () => {
      const html: Lines = [
        ['Accept', 'text/html,application/xhtml+xml'],
        ['Sec-Fetch-Mode', 'navigate'],
        ['Sec-Fetch-Dest', 'document'],
      ];
      const answer = await get(html, '/web/a%20b?x=1&y=%2F');
      expect(answer.status).toBe(302);
      expect(answer.header('location')).toEqual([
        `${LOGIN_URL}?return_to=${encodeURIComponent(`${edge.url}/web/a%20b?x=1&y=%2F`)}`,
      ]);
      expect(answer.header('cache-control')).toEqual(['no-store']);
      for (const headers of [
        [['Accept', 'application/json']],
        [...html, ['X-Requested-With', 'XMLHttpRequest']],
        [
          ['Accept', 'text/html'],
          ['Sec-Fetch-Mode', 'cors'],
          ['Sec-Fetch-Dest', 'empty'],
        ],
        [],
      ] as Lines[]) {
        expect((await get(headers, '/web/x')).status).toBe(401);
      }
      expect((await send(edge.url, protocol, { method: 'POST', path: '/web/x', headers: html })).status).toBe(401);
      expect((await get(html)).status).toBe(401);
    });

    it('routes by rule to its upstream, and denies what no rule names', async () => {
      const token: Lines = [['X-Session-Token', native.token]];
      expect((await get(token, '/second/x')).seen().app).toBe('second');
      expect(
        (await send(edge.url, protocol, { path: '/any', host: 'a.b.ADMIN.test:8080', headers: token })).seen().app,
      ).toBe('second');
      expect((await send(edge.url, protocol, { path: '/app/x', host: 'admin.test', headers: token })).seen().app).toBe(
        'app',
      );
      for (const path of ['/nothing', '/second', '/second/', '/second/x/y', '/App/x', '/application']) {
        const answer = await get(token, path);
        expect([path, answer.status, answer.json()['reason']]).toEqual([path, 403, 'no_rule']);
      }
      const wrongMethod = await send(edge.url, protocol, { method: 'DELETE', path: '/second/x', headers: token });
      expect(wrongMethod.json()['reason']).toBe('no_rule');
    });

    it('identifies on a public rule where it can, and is anonymous otherwise', async () => {
      expect((await get([['X-Session-Token', native.token]], '/')).seen().header('x-user-id')).toEqual([ada.id]);
      for (const headers of [
        [],
        [['X-Session-Token', 'garbage']],
        [
          ['X-Session-Token', native.token],
          ['X-Session-Token', other.token],
        ],
      ] as Lines[]) {
        const answer = await get(headers, '/');
        expect([answer.status, answer.seen().header('x-user-id')]).toEqual([200, []]);
      }
    });

    it('asks nobody on a public rule', async () => {
      expect((await get([['X-Session-Token', 'garbage']], '/public/x')).status).toBe(200);
    });

    const ambiguous = [
      '/app/%2f',
      '/app%5cx',
      '/app/%c0%ae%C0%AE/x',
      '/app/%252e',
      '/app/x;y=1',
      '/app/%3b',
      '/app/%23x',
      '/app/%3fx',
      '/app/%',
      '/app/%zz',
    ];
    it.each(ambiguous)('refuses %s, also with a session', async (path) => {
      const answer = await get([['X-Session-Token', native.token]], path);
      expect([answer.status, answer.json()['reason']]).toEqual([400, 'path_ambiguous']);
      expect(answer.header('content-type')).toEqual(['application/problem+json']);
    });
  });

  describe.each(TRANSPORTS)('a path that Envoy normalises, checks over %s', (transport) => {
    beforeAll(() => {
      edge = edges[transport];
    });
    it.each(['/app/%2e%2e/public/x', '/app/../public/x', '/app/%2E./public//x', '/%70ublic/x'])(
      'is served as it was judged: %s',
      async (path) => {
        const answer = await sendRaw(edge.url, `GET ${path} HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n`);
        expect(answer).toMatch(/^HTTP\/1\.1 200 /);
        expect(answer).toContain('"url":"/public/x"');
      },
    );
  });

  describe.each(TRANSPORTS)('a host that an application would decode, checks over %s', (transport) => {
    beforeAll(() => {
      edge = edges[transport];
    });
    it.each(['a%2eadmin.test', '%61.admin.test', 'a.admin.test..', 'a.admin.test;x', 'a.admin.test%00'])(
      'is refused: %s',
      async (host) => {
        const answer = await sendRaw(edge.url, `GET /public/x HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
        expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      },
    );
  });

  describe.each(TRANSPORTS)('WebSocket, checks over %s', (transport) => {
    beforeAll(() => {
      edge = edges[transport];
    });
    const upgrade = (path: string, headers: string) =>
      `GET ${path} HTTP/1.1\r\nhost: app.test\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`;

    it('is refused before the upgrade without a session', async () => {
      const before = edge.app.count();
      expect(await sendRaw(edge.url, upgrade('/app/ws', ''), /credential_missing/)).toMatch(/^HTTP\/1\.1 401 /);
      expect(edge.app.count()).toBe(before);
    });

    it('goes through with a session, with the identity', async () => {
      const received = await sendRaw(
        edge.url,
        `${upgrade('/app/ws', `x-session-token: ${native.token}\r\nx-user-id: forged\r\n`)}`,
        /\r\n\r\n/,
      );
      expect(received).toMatch(/^HTTP\/1\.1 101 /);
      expect(received).toContain(`seen-user: ${ada.id}`);
    });

    it('never opens a tunnel for CONNECT', async () => {
      expect(
        await sendRaw(
          edge.url,
          `CONNECT app.test:80 HTTP/1.1\r\nhost: app.test:80\r\nx-session-token: ${native.token}\r\n\r\n`,
          /\r\n\r\n/,
        ),
      ).toMatch(/^HTTP\/1\.1 4\d\d /);
    });
  });
});
