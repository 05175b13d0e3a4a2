// The development Ory behind another address: everything that it writes begins with that one.
import { afterEach, expect, test } from 'vitest';
import { type DevOry, type DevOryOptions, startDevOry } from './ory.ts';

const base = 'http://127.0.0.1:8080/.ory';
const started: DevOry[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((ory) => ory.close()));
});

async function start(options: Partial<DevOryOptions> = {}): Promise<DevOry> {
  const ory = await startDevOry({ port: 0, audience: [], ...options });
  started.push(ory);
  return ory;
}

/** As a proxy in front would ask: the path without its own prefix, and the address that the browser knows. */
async function behind(ory: DevOry, path: string, init: RequestInit = {}, rewrite = base): Promise<Response> {
  const headers = { accept: 'application/json', 'ory-base-url-rewrite': rewrite, ...init.headers };
  return fetch(`${ory.url}${path}`, { redirect: 'manual', ...init, headers });
}

function cookiesOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((line) => line.split(';', 1)[0])
    .join('; ');
}

/** A session of the seeded user, by way of the base. */
async function login(ory: DevOry, index: number): Promise<{ response: Response; cookie: string }> {
  const begun = await behind(ory, '/self-service/login/browser');
  const flow = (await begun.json()) as { ui: { action: string; nodes: { attributes: { value: string } }[] } };
  const user = ory.users[index];
  const body = new URLSearchParams({
    csrf_token: flow.ui.nodes[0]?.attributes.value ?? '',
    method: 'password',
    identifier: user?.email ?? '',
    password: user?.password ?? '',
  });
  const headers = { cookie: cookiesOf(begun) };
  const path = flow.ui.action.slice(base.length);
  const response = await behind(ory, path, { method: 'POST', headers, body });
  return { response, cookie: `${cookiesOf(begun)}; ${cookiesOf(response)}` };
}

test('everything that is written into an answer begins with the base that was asked for', async () => {
  const ory = await start();
  const texts: string[] = [];
  const collect = async (response: Response): Promise<void> => {
    texts.push(await response.text(), response.headers.get('location') ?? '');
  };
  const { response, cookie } = await login(ory, 0);
  await collect(response);
  const headers = { cookie };
  const html = { cookie, accept: 'text/html' };
  for (const path of [
    '/self-service/login/api',
    '/self-service/login/browser',
    '/self-service/logout/browser',
    '/self-service/settings/browser',
    '/sessions/whoami',
    '/sessions',
    '/admin/identities',
  ]) {
    await collect(await behind(ory, path, { headers }));
  }
  for (const path of [
    '/',
    '/ui/login',
    '/self-service/login/browser',
    '/self-service/settings/browser',
    '/ui/logout',
    '/nothing',
  ]) {
    await collect(await behind(ory, path, { headers: html }));
  }
  const all = texts.join('\n');
  expect(all).not.toContain(ory.url);
  for (const path of ['/self-service/login?flow=', '/self-service/settings?flow=', '/self-service/logout?token=']) {
    expect(all).toContain(`${base}${path}`);
  }
});

test('the second factor is asked for below the base', async () => {
  const ory = await start();
  const { response, cookie } = await login(ory, 2);
  const target = `${base}/self-service/login/browser?aal=aal2`;
  expect(await response.json()).toMatchObject({ redirect_browser_to: target });
  const who = await behind(ory, '/sessions/whoami', { headers: { cookie } });
  expect(who.status).toBe(403);
  const body = await who.json();
  expect(body).toMatchObject({ error: { details: { redirect_browser_to: target } }, redirect_browser_to: target });
});

test('discovery names endpoints below the base, and the issuer that the tokens carry', async () => {
  const ory = await start();
  const body: unknown = await (await behind(ory, '/.well-known/openid-configuration')).json();
  expect(body).toMatchObject({
    issuer: ory.issuer,
    authorization_endpoint: `${base}/oauth2/auth`,
    jwks_uri: `${base}/.well-known/jwks.json`,
  });
});

test('a relative return_to is one below the base', async () => {
  const ory = await start();
  const response = await behind(ory, '/self-service/login/browser?return_to=/x');
  expect(await response.json()).toMatchObject({ return_to: 'http://127.0.0.1:8080/x' });
});

test.each(['https://localhost:8443', 'http://app.localhost:8080/.ory/', 'http://[::1]:8080/a/b'])(
  'takes %s, which is this machine',
  async (address) => {
    const ory = await start();
    const response = await behind(ory, '/self-service/login/api', {}, address);
    const { ui } = (await response.json()) as { ui: { action: string } };
    expect(ui.action).toContain(`${address.replace(/\/$/, '')}/self-service/login?flow=`);
  },
);

test.each([
  'https://evil.example/.ory',
  'http://127.0.0.1.evil.example/',
  'http://127.0.0.1@evil.example/',
  'http://user:pw@127.0.0.1/',
  'javascript:alert(1)//127.0.0.1',
  'http://127.0.0.1:8080/?x=y',
  'http://127.0.0.1:8080/#x',
  '/.ory',
  '',
])('refuses %j, whatever is asked', async (address) => {
  const ory = await start();
  for (const path of ['/self-service/login/browser', '/sessions/whoami', '/.well-known/openid-configuration', '/']) {
    const response = await behind(ory, path, {}, address);
    expect([path, response.status]).toEqual([path, 400]);
    if (address !== '') expect(await response.text()).not.toContain(address);
  }
});

test('a Domain is written into every cookie where one is wanted, and nowhere else', async () => {
  for (const cookieDomain of [undefined, 'projects.example.com']) {
    const ory = await start(cookieDomain === undefined ? {} : { cookieDomain });
    const { response } = await login(ory, 0);
    const lines = response.headers.getSetCookie();
    expect(lines.map((line) => line.split('=', 1)[0]).sort()).toEqual([
      expect.stringMatching(/^csrf_token_/),
      'ory_kratos_session',
    ]);
    for (const line of lines) {
      if (cookieDomain === undefined) expect(line).not.toMatch(/;\s*domain=/i);
      else expect(line).toMatch(/; Domain=projects\.example\.com(;|$)/);
    }
  }
});
