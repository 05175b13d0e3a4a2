// aal and max_age through a real Envoy, with a real Kratos: where a navigation is sent and what an API client is told,
// that what was given there counts at once, and what an old session may cost.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TRANSPORTS, type Transport } from '../../src/generate/envoy/transport.ts';
import { cookieName } from '../ory/client.ts';
import { at, CookieJar, csrfToken } from '../ory/http.ts';
import type { Ory, Person, PersonWithTotp, Session } from '../ory/ory.ts';
import { ORYS } from '../ory/orys.ts';
import { freePorts } from '../ports.ts';
import { until } from '../until.ts';
import { type Answer, type Lines, type Protocol, send } from './rig/client.ts';
import { type CountingProxy, startCountingProxy } from './rig/counting-proxy.ts';
import type { Edge } from './rig/edge.ts';
import { AUDIENCE } from './rig/policy.ts';
import { type Edges, startEdges, WAYS } from './rig/transports.ts';

const HTML: Lines = [
  ['Accept', 'text/html,application/xhtml+xml'],
  ['Sec-Fetch-Mode', 'navigate'],
  ['Sec-Fetch-Dest', 'document'],
];
/** Short, so that a test sees it pass. */
const MAX_AGE = '2s';
const PAGE = 'https://page.test';
const WHOAMI = '/sessions/whoami';

/** `kratosUrl` is what stands before Kratos; browsers go to Kratos itself. */
function policyOf(ory: Ory, kratosUrl: string, listen: number) {
  const redirect = { unauthenticated: 'redirect' };
  return {
    ory: {
      kratos: { public_url: kratosUrl },
      hydra: { public_url: ory.hydra.publicUrl, issuer: ory.hydra.issuer },
      login_url: `${ory.kratos.publicUrl}/self-service/login/browser`,
    },
    tokens: { audiences: [AUDIENCE] },
    cache: { ttl: '60s', stale_if_error: '10m' },
    edge: { listen: `127.0.0.1:${listen}`, public_url: `http://127.0.0.1:${listen}` },
    rules: [
      { name: 'careful', match: { path: '/careful/**' }, require: { session: { aal: 'aal2' } }, ...redirect },
      { name: 'recent', match: { path: '/recent/**' }, require: { session: { max_age: MAX_AGE } }, ...redirect },
      {
        name: 'both',
        match: { path: '/both/**' },
        require: { session: { aal: 'aal2', max_age: MAX_AGE } },
        ...redirect,
      },
      {
        name: 'either',
        match: { path: '/either/**' },
        require: { any_of: [{ session: { aal: 'aal2' } }, { token: {} }] },
        ...redirect,
      },
      {
        name: 'api',
        match: { path: '/api/**' },
        require: { session: { aal: 'aal2' } },
        cors: { origins: [PAGE] },
      },
      { name: 'app', match: { path: '/**' }, require: { session: {} }, ...redirect },
    ],
  };
}

/** An Ory, with a counting Kratos before it, and edges that ask there. */
async function startPlace(start: (typeof ORYS)[number]['start'], requiredAal: 'aal1' | 'highest_available') {
  const ports = await freePorts(2);
  const ory = await start({ requiredAal, returnUrls: ports.map((port) => `http://127.0.0.1:${port}`) });
  const kratos = await startCountingProxy(ory.kratos.publicUrl);
  const edges = await startEdges((transport) => policyOf(ory, kratos.url, ports[TRANSPORTS.indexOf(transport)] ?? 0));
  const close = async () => {
    await edges.close();
    await kratos.close();
    await ory.close();
  };
  return { ory, kratos, edges, close };
}

/** A browser at Kratos's pages, and its session cookie at the edge. */
class Visitor {
  readonly jar = new CookieJar();
  readonly #ory: Ory;

  constructor(ory: Ory) {
    this.#ory = ory;
  }

  get cookie(): Lines {
    return [['Cookie', `${cookieName}=${this.jar.get(cookieName)}`]];
  }

  async #call(url: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers({ accept: 'text/html', ...(init.headers as Record<string, string>) });
    headers.set('cookie', this.jar.header());
    const response = await fetch(url, { redirect: 'manual', ...init, headers });
    this.jar.take(response);
    return response;
  }

  /** Goes to the flow at `url` and sends its form. @returns the flow, and where it leads. */
  async giveAt(url: string, given: Record<string, string>): Promise<{ flow: unknown; location: string | null }> {
    const page = (await this.#call(url)).headers.get('location') ?? '';
    const id = new URL(page).searchParams.get('flow');
    const flows = `${this.#ory.kratos.publicUrl}/self-service/login/flows?id=${id}`;
    const flow = (await (await this.#call(flows, { headers: { accept: 'application/json' } })).json()) as unknown;
    const body = new URLSearchParams({ ...given, csrf_token: csrfToken(flow) });
    const done = await this.#call(String(at(flow, 'ui', 'action')), { method: 'POST', body });
    return { flow, location: done.headers.get('location') };
  }
}

const passwordOf = (person: Person) => ({ method: 'password', identifier: person.email, password: person.password });

describe.each(ORYS)('with $name', ({ start }) => {
  let ory: Ory;
  let kratos: CountingProxy;
  let edges: Edges;
  let close: () => Promise<void>;
  let person: PersonWithTotp;

  beforeAll(async () => {
    ({ ory, kratos, edges, close } = await startPlace(start, 'aal1'));
    person = await ory.createPersonWithTotp();
  });
  afterAll(() => close?.());

  const flowUrl = () => `${ory.kratos.publicUrl}/self-service/login/browser`;
  const codeOf = (of: PersonWithTotp) => ({ method: 'totp', totp_code: ory.totpCode(of) });
  const withToken = (session: Session): Lines => [['X-Session-Token', session.token]];

  /** Logged in with the password alone. */
  async function visitor(of: Person = person): Promise<Visitor> {
    const one = new Visitor(ory);
    await one.giveAt(flowUrl(), passwordOf(of));
    return one;
  }

  const outcome = (answer: Answer) => (answer.status === 200 ? 200 : answer.json()['reason']);

  describe.each(WAYS)('over $protocol, checks over $transport', ({ protocol, transport }) => {
    let edge: Edge;
    beforeAll(() => {
      edge = edges[transport];
    });
    const get = (path: string, headers: Lines) => send(edge.url, protocol, { path, headers });
    const locationOf = (answer: Answer) => answer.header('location')[0] ?? '';
    /** Where a navigation to `path` is to be sent. */
    const sentTo = (query: string, path: string) =>
      `${flowUrl()}?${query}&return_to=${encodeURIComponent(`${edge.url}${path}`)}`;

    it('a navigation without the second factor goes to give it, comes back to its deep link, and passes at once', async () => {
      const path = '/careful/a%20b?x=1&y=%2F';
      const one = await visitor();
      // Remembered, for a minute, at aal1.
      expect((await get('/app', one.cookie)).status).toBe(200);
      const away = await get(path, [...HTML, ...one.cookie]);
      expect([away.status, locationOf(away)]).toEqual([302, sentTo('aal=aal2', path)]);
      const { location } = await one.giveAt(locationOf(away), codeOf(person));
      expect(location).toBe(`${edge.url}${path}`);
      const back = await get(path, [...HTML, ...one.cookie]);
      expect([back.status, back.seen().url]).toEqual([200, path]);
    });

    it('a navigation with a login that is too old logs in anew, and passes at once', async () => {
      const path = '/recent/x?x=1&y=%2F';
      const one = await visitor();
      const old = one.cookie;
      expect((await get(path, [...HTML, ...old])).status).toBe(200);
      await until('the login is too old', async () => (await get(path, [...HTML, ...old])).status === 302);
      const away = await get(path, [...HTML, ...old]);
      expect(locationOf(away)).toBe(sentTo('refresh=true', path));
      const { flow, location } = await one.giveAt(locationOf(away), passwordOf(person));
      expect([at(flow, 'refresh'), at(flow, 'requested_aal'), location]).toEqual([true, 'aal1', `${edge.url}${path}`]);
      expect((await get(path, [...HTML, ...one.cookie])).status).toBe(200);
      // A second tab may still send the cookie from before: it is the same session.
      expect((await get(path, [...HTML, ...old])).status).toBe(200);
    });

    it('a rule with both asks whoever is at aal2 for the second factor once more, and for nothing else', async () => {
      const path = '/both/x?x=1';
      const one = await visitor();
      expect(locationOf(await get(path, [...HTML, ...one.cookie]))).toBe(sentTo('aal=aal2', path));
      await one.giveAt(`${flowUrl()}?aal=aal2`, codeOf(person));
      expect((await get(path, one.cookie)).status).toBe(200);
      await until('the login is too old', async () => (await get(path, one.cookie)).status === 403);
      const away = await get(path, [...HTML, ...one.cookie]);
      expect(locationOf(away)).toBe(sentTo('refresh=true&aal=aal2', path));
      const { flow, location } = await one.giveAt(locationOf(away), codeOf(person));
      expect([at(flow, 'refresh'), at(flow, 'requested_aal'), location]).toEqual([true, 'aal2', `${edge.url}${path}`]);
      expect((await get(path, one.cookie)).status).toBe(200);
    });

    it('an API client is told the flow, and passes at once when it has gone through', async () => {
      const session = await ory.login(person);
      expect((await get('/app', withToken(session))).status).toBe(200);
      const refused = await get('/careful/x', withToken(session));
      expect(refused.json()).toEqual({
        type: 'urn:ory-envoy:reason:aal_insufficient',
        title: expect.any(String),
        status: 403,
        reason: 'aal_insufficient',
        request_id: expect.any(String),
        redirect_browser_to: `${flowUrl()}?aal=aal2`,
      });
      await ory.stepUp(person, session);
      expect((await get('/careful/x', withToken(session))).status).toBe(200);
      await until('the login is too old', async () => (await get('/recent/x', withToken(session))).status === 403);
      expect((await get('/recent/x', withToken(session))).json()).toMatchObject({
        reason: 'session_too_old',
        redirect_browser_to: `${flowUrl()}?refresh=true`,
      });
      expect((await get('/both/x', withToken(session))).json()['redirect_browser_to']).toBe(
        `${flowUrl()}?refresh=true&aal=aal2`,
      );
      await refreshByApi(session);
      expect((await get('/recent/x', withToken(session))).status).toBe(200);
      expect((await get('/both/x', withToken(session))).status).toBe(200);
    });

    it('a script of a page that the rule’s cors names can read where to go', async () => {
      const session = await ory.login(person);
      const answer = await get('/api/x', [['Origin', PAGE], ...withToken(session)]);
      expect(answer.header('access-control-allow-origin')).toEqual([PAGE]);
      expect(answer.json()['redirect_browser_to']).toBe(`${flowUrl()}?aal=aal2`);
    });

    it('any_of: a person is led to the login and to the factor, a token is enough without either', async () => {
      const bearer: Lines = [['Authorization', `Bearer ${await ory.accessToken({ audience: [AUDIENCE] })}`]];
      const other: Lines = [['Authorization', `Bearer ${await ory.accessToken({ audience: ['https://other.test'] })}`]];
      const one = await visitor();
      const path = '/either/x?x=1';
      const anonymous = await get(path, HTML);
      expect([anonymous.status, locationOf(anonymous)]).toEqual([
        302,
        `${flowUrl()}?return_to=${encodeURIComponent(`${edge.url}${path}`)}`,
      ]);
      expect(outcome(await get(path, []))).toBe('credential_missing');
      expect(locationOf(await get(path, [...HTML, ...one.cookie]))).toBe(sentTo('aal=aal2', path));
      expect(outcome(await get(path, bearer))).toBe(200);
      expect(outcome(await get(path, [...one.cookie, ...bearer]))).toBe(200);
      expect(outcome(await get(path, [...one.cookie, ...other]))).toBe('token_audience_mismatch');
      await one.giveAt(`${flowUrl()}?aal=aal2`, codeOf(person));
      expect(outcome(await get(path, [...one.cookie, ...other]))).toBe(200);
    });
  });

  /** As a native application does. */
  async function refreshByApi(session: Session): Promise<void> {
    const headers = { accept: 'application/json', 'x-session-token': session.token };
    const flow = (await (
      await fetch(`${ory.kratos.publicUrl}/self-service/login/api?refresh=true`, { headers })
    ).json()) as unknown;
    const answer = await fetch(String(at(flow, 'ui', 'action')), {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(passwordOf(person)),
    });
    expect(answer.status).toBe(200);
  }

  describe.each(TRANSPORTS)('checks over %s', (transport) => {
    let edge: Edge;
    beforeAll(() => {
      edge = edges[transport];
    });
    const get = (path: string, headers: Lines, protocol: Protocol = 'HTTP/1.1') =>
      send(edge.url, protocol, { path, headers });

    it('an old session that hammers a rule costs one whoami a request at most, and less where they come together', async () => {
      const session = await ory.login(person);
      kratos.reset();
      expect((await get('/app', withToken(session))).status).toBe(200);
      for (let i = 1; i <= 20; i++) {
        expect((await get('/careful/x', withToken(session))).status).toBe(403);
        expect(kratos.count(WHOAMI)).toBe(1 + i);
      }
      kratos.reset();
      const together = Array.from({ length: 200 }, () => get('/careful/x', withToken(session)));
      for (const { status } of await Promise.all(together)) expect(status).toBe(403);
      expect(kratos.count(WHOAMI)).toBeLessThan(200);
      kratos.reset();
      for (let i = 0; i < 20; i++) expect((await get('/app', withToken(session))).status).toBe(200);
      expect(kratos.count(WHOAMI)).toBe(0);
    });

    it('a session that satisfies from memory costs no call', async () => {
      const session = await ory.login(person);
      await ory.stepUp(person, session);
      expect((await get('/both/x', withToken(session))).status).toBe(200);
      kratos.reset();
      for (const path of ['/careful/x', '/either/x', '/api/x', '/app'])
        expect([path, (await get(path, withToken(session))).status]).toEqual([path, 200]);
      expect(kratos.count(WHOAMI)).toBe(0);
    });

    it('headers of a client do not steer where anybody is sent', async () => {
      const session = await ory.login(person);
      const evil: Lines = [
        ['X-Forwarded-Host', 'evil.test'],
        ['X-Forwarded-Proto', 'gopher'],
        ['X-Forwarded-Prefix', '/evil'],
        ['Forwarded', 'host=evil.test;proto=gopher'],
        ['Ory-Base-URL-Rewrite', 'http://127.0.0.1:1/evil'],
        ['X-Original-URL', 'http://evil.test/'],
        ['Referer', 'http://evil.test/'],
        ['Origin', 'http://evil.test'],
      ];
      const path = '/careful/x?return_to=http://evil.test/&aal=aal1';
      const told = await send(edge.url, 'HTTP/1.1', {
        path,
        host: 'evil.test',
        headers: [...evil, ...withToken(session)],
      });
      expect(told.json()['redirect_browser_to']).toBe(`${flowUrl()}?aal=aal2`);
      const sent = await send(edge.url, 'HTTP/1.1', {
        path,
        host: 'evil.test',
        headers: [...evil, ...HTML, ...withToken(session)],
      });
      expect(sent.header('location')).toEqual([
        `${flowUrl()}?aal=aal2&return_to=${encodeURIComponent(`${edge.url}${path}`)}`,
      ]);
    });
  });
});

describe.each(ORYS)('with $name that asks for the second factor itself', ({ start }) => {
  let place: Awaited<ReturnType<typeof startPlace>>;
  beforeAll(async () => {
    place = await startPlace(start, 'highest_available');
  });
  afterAll(() => place?.close());

  it.each(TRANSPORTS)(
    'an API client is told Kratos’s own address, whatever the client sends (checks over %s)',
    async (transport) => {
      const { ory, edges } = place;
      const person = await ory.createPersonWithTotp();
      const session = await ory.login(person);
      const ask = (path: string) =>
        send(edges[transport].url, 'HTTP/2', {
          path,
          host: 'evil.test',
          headers: [
            ['X-Session-Token', session.token],
            ['X-Forwarded-Host', 'evil.test'],
            ['Ory-Base-URL-Rewrite', 'http://127.0.0.1:1/evil'],
          ],
        });
      for (const path of ['/app', '/recent/x', '/careful/x'])
        expect((await ask(path)).json()).toMatchObject({
          reason: 'aal_insufficient',
          redirect_browser_to: `${ory.kratos.publicUrl}/self-service/login/browser?aal=aal2`,
        });
      await ory.stepUp(person, session);
      for (const path of ['/app', '/recent/x', '/careful/x']) expect((await ask(path)).status).toBe(200);
    },
  );

  it('a session that is remembered without the factor is 503 while Kratos is away, and goes on elsewhere', async () => {
    const { ory, edges } = place;
    const session = await ory.login(await ory.createPerson());
    const ask = (transport: Transport, path: string) =>
      send(edges[transport].url, 'HTTP/1.1', { path, headers: [['X-Session-Token', session.token], ...HTML] });
    for (const transport of TRANSPORTS) expect((await ask(transport, '/app')).status).toBe(200);
    // The last of this place: what stands before Kratos does not come back.
    await place.kratos.close();
    for (const transport of TRANSPORTS) {
      const refused = await ask(transport, '/careful/x');
      expect([refused.status, refused.json()['reason']]).toEqual([503, 'ory_unreachable']);
      expect(refused.header('retry-after')).toHaveLength(1);
      expect((await ask(transport, '/app')).status).toBe(200);
    }
  });
});
