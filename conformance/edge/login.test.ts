// A browser on its way to the login and back, hop by hop, with a real Kratos behind a real Envoy: where it is sent, and
// that it never turns in a circle.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TRANSPORTS } from '../../src/generate/envoy/transport.ts';
import { CookieJar } from '../ory/http.ts';
import type { BrowserSession, Ory } from '../ory/ory.ts';
import { ORYS } from '../ory/orys.ts';
import { freePorts } from '../ports.ts';
import { until } from '../until.ts';
import { type Answer, type Lines, send } from './rig/client.ts';
import { type Edge, startEdge } from './rig/edge.ts';

const SETTINGS = ORYS.flatMap((ory) => TRANSPORTS.map((transport) => ({ ...ory, transport })));

describe.each(SETTINGS)('with $name, checks over $transport', ({ start, transport }) => {
  let ory: Ory;
  /** One whose policy looks for the right cookie, and one that looks for a cookie that nobody sets. */
  let right: Edge;
  let wrong: Edge;
  let session: BrowserSession;

  beforeAll(async () => {
    const [rightPort = 0, wrongPort = 0] = await freePorts(2);
    const origins = [rightPort, wrongPort].map((port) => `http://127.0.0.1:${port}`);
    ory = await start({ returnUrls: origins });
    const edge = (listen: number, cookie: string) =>
      startEdge(
        {
          ory: { kratos: { public_url: ory.kratos.publicUrl }, session_cookies: [cookie] },
          rules: [{ name: 'web', match: { path: '/**' }, require: { session: {} }, unauthenticated: 'redirect' }],
          edge: { listen: `127.0.0.1:${listen}`, public_url: `http://127.0.0.1:${listen}` },
        },
        transport,
      );
    right = await edge(rightPort, 'ory_kratos_session');
    wrong = await edge(wrongPort, 'another_cookie');
    session = await ory.loginBrowser(await ory.createPerson());
  });

  afterAll(async () => {
    await right?.close();
    await wrong?.close();
    await ory?.close();
  });

  interface Landing {
    readonly hops: readonly string[];
    readonly answer: Answer;
  }

  /** Not with `fetch`, which marks its requests as a script's. */
  function navigate(url: string, jar: CookieJar): Promise<Answer> {
    const { origin, pathname, search } = new URL(url);
    const headers: Lines = [
      ['Accept', 'text/html,application/xhtml+xml'],
      ['Cookie', jar.header()],
    ];
    return send(origin, 'HTTP/1.1', { path: pathname + search, headers });
  }

  /** Follows redirects as a browser does, cookies included, which know no ports. */
  async function visit(url: string, jar: CookieJar, limit = 20): Promise<Landing> {
    const hops: string[] = [];
    for (let next = url; hops.length < limit; ) {
      hops.push(next);
      const answer = await navigate(next, jar);
      take(jar, answer);
      const [location] = answer.header('location');
      if (answer.status < 300 || answer.status > 399 || location === undefined) return { hops, answer };
      next = new URL(location, next).href;
    }
    throw new Error(`no end after ${limit} hops: ${hops.join(' ')}`);
  }

  function take(jar: CookieJar, answer: Answer): void {
    const headers = new Headers();
    for (const cookie of answer.header('set-cookie')) headers.append('set-cookie', cookie);
    jar.take(new Response(null, { headers }));
  }

  function jarWith(cookies: Record<string, string>): CookieJar {
    const jar = new CookieJar();
    const headers = new Headers();
    for (const [name, value] of Object.entries(cookies)) headers.append('set-cookie', `${name}=${value}`);
    jar.take(new Response(null, { headers }));
    return jar;
  }

  describe('a browser without a session', () => {
    it('comes to Kratos’s login, which knows the way back', async () => {
      const wanted = `${right.url}/deep/link?x=1&y=%2F`;
      const [location = ''] = (await navigate(wanted, new CookieJar())).header('location');
      const flow = await fetch(location, { headers: { accept: 'application/json' } });
      expect([flow.status, ((await flow.json()) as { return_to: string }).return_to]).toEqual([200, wanted]);
    });

    it('is counted only until it has arrived', async () => {
      const jar = new CookieJar();
      take(jar, await navigate(`${right.url}/a`, jar));
      expect(jar.get('ory_envoy_login')).toMatch(/^[\w-]{8}\.1\.\d+$/);
      const cookies = {
        ory_envoy_login: jar.get('ory_envoy_login') ?? '',
        [session.cookie.name]: session.cookie.value,
      };
      const arrived = jarWith(cookies);
      const { answer } = await visit(`${right.url}/a`, arrived);
      expect(answer.status).toBe(200);
      expect(arrived.get('ory_envoy_login')).toBeUndefined();
    });
  });

  describe('a browser whose session does not count at the edge', () => {
    it('is sent in a circle twice and then told why', async () => {
      const jar = jarWith({ [session.cookie.name]: session.cookie.value });
      const { hops, answer } = await visit(`${wrong.url}/page?q=1`, jar);
      expect(hops.filter((hop) => hop === `${wrong.url}/page?q=1`)).toHaveLength(3);
      expect([answer.status, answer.header('content-type')]).toEqual([401, ['text/html; charset=utf-8']]);
      expect(answer.header('content-security-policy')).toEqual([expect.stringContaining("default-src 'none'")]);
      expect(answer.header('cache-control')).toEqual(['no-store']);
      expect(answer.body.indexOf('allowed_return_urls')).toBeGreaterThan(0);
      expect(answer.body.indexOf('another_cookie')).toBeGreaterThan(answer.body.indexOf('allowed_return_urls'));
      // Another process writes it, and not before the answer.
      await until('the log says so', () =>
        /"rule":"web".*the login leads back to the same denial/.test(wrong.authorizer.log()),
      );
    });

    it('may try again', async () => {
      const jar = jarWith({ [session.cookie.name]: session.cookie.value });
      await visit(`${wrong.url}/again`, jar);
      const { hops } = await visit(`${wrong.url}/again`, jar);
      expect(hops.length).toBeGreaterThan(3);
    });

    it('gets a plain 401 for what is no navigation', async () => {
      const answer = await fetch(`${wrong.url}/data`, { headers: { accept: 'application/json' } });
      expect([answer.status, answer.headers.get('set-cookie')]).toEqual([401, null]);
    });
  });
});
