// The verdicts of the real Oathkeeper behind a real Envoy, against a development Ory and the real Kratos and Hydra.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OathkeeperEdge, startOathkeeperEdge } from '../../oathkeeper/edge.ts';
import type { BrowserSession, Ory, Person, Session } from '../../ory/ory.ts';
import { ORYS } from '../../ory/orys.ts';
import { type App, startApp } from '../rig/app.ts';
import { type Lines, send } from '../rig/client.ts';
import { AUDIENCE, LOGIN_URL, OTHER_AUDIENCE, policy } from '../rig/policy.ts';

describe.each(ORYS)('with $name', ({ start }) => {
  let ory: Ory;
  let app: App;
  let edge: OathkeeperEdge;
  let ada: Person;
  let native: Session;
  let browser: BrowserSession;

  beforeAll(async () => {
    ory = await start();
    app = await startApp('app');
    edge = await startOathkeeperEdge({
      ...policy(ory),
      edge: { upstreams: { app: app.url, second: app.url }, public_url: 'https://edge.test' },
    });
    ada = await ory.createPerson();
    native = await ory.login(ada);
    browser = await ory.loginBrowser(ada);
  });
  afterAll(async () => {
    await edge?.close();
    await app?.close();
    await ory?.close();
  });
  const get = (path: string, headers: Lines = []) => send(edge.url, 'HTTP/1.1', { path, headers });

  it('lets everyone pass where the policy does, without identity', async () => {
    const answer = await get('/public/x', [['X-User-Id', 'forged']]);
    expect(answer.status).toBe(200);
    expect(answer.seen().header('x-user-id')).toEqual([]);
  });

  const sessions: [string, () => Lines][] = [
    ['a cookie', () => [['Cookie', `a=1; ${browser.cookie.name}=${browser.cookie.value}`]]],
    ['X-Session-Token', () => [['X-Session-Token', native.token]]],
    ['a bearer session token', () => [['Authorization', `Bearer ${native.token}`]]],
  ];
  it.each(sessions)('takes a session from %s', async (_, lines) => {
    const answer = await get('/app/x', lines());
    expect(answer.status).toBe(200);
    expect(answer.seen().header('x-user-id')).toEqual([ada.id]);
    expect(answer.seen().header('x-user-email')).toEqual([ada.email]);
  });

  it('refuses who brings nothing, and what is nobody’s', async () => {
    expect((await get('/app/x')).status).toBe(401);
    expect((await get('/app/x', [['X-Session-Token', 'ory_st_no']])).status).toBe(401);
    expect((await get('/app/x', [['Cookie', 'ory_kratos_session=no']])).status).toBe(401);
    expect((await get('/app/x', [['Cookie', 'a=1']])).status).toBe(401);
  });

  it.each(['jwt', 'opaque'] as const)('takes a %s token for its audience alone', async (strategy) => {
    const good = await ory.accessToken({ audience: [AUDIENCE], strategy });
    const other = await ory.accessToken({ audience: [OTHER_AUDIENCE], strategy });
    const none = await ory.accessToken({ strategy });
    const bearer = (token: string): Lines => [['Authorization', `Bearer ${token}`]];
    const answer = await get('/api/x', bearer(good));
    expect(answer.status).toBe(200);
    expect(answer.seen().header('x-user-id')).not.toEqual([]);
    expect((await get('/other/x', bearer(good))).status).toBeGreaterThanOrEqual(401);
    expect((await get('/api/x', bearer(other))).status).toBeGreaterThanOrEqual(401);
    expect((await get('/api/x', bearer(none))).status).toBeGreaterThanOrEqual(401);
    expect((await get('/api/x', bearer(native.token))).status).toBe(401);
    expect((await get('/app/x', bearer(good))).status).toBe(401);
  });

  it('sends a person to the login, and a script not', async () => {
    const answer = await get('/web/x?y=1', [['Accept', 'text/html,*/*']]);
    expect(answer.status).toBe(302);
    expect(answer.header('location')).toEqual([
      `${LOGIN_URL}?return_to=${encodeURIComponent(`https://${new URL(edge.url).host}/web/x?y=1`)}`,
    ]);
    expect((await get('/web/x', [['Accept', '*/*']])).status).toBe(401);
  });

  it('knows nobody at a rule that identifies', async () => {
    const answer = await get('/');
    expect(answer.status).toBe(200);
    expect(answer.seen().header('x-user-id')).toEqual([]);
    const known = await get('/', [['X-Session-Token', native.token]]);
    expect(known.seen().header('x-user-id')).toEqual([ada.id]);
  });
});
