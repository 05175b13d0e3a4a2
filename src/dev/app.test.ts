// The demo application: what it shows of a request, and what it keeps to itself.
import { afterEach, expect, test } from 'vitest';
import { type DemoRule, startDemoApp } from './app.ts';
import type { Listening } from './listen.ts';

const identityHeaders = ['X-User-Id', 'X-User-Email'];
const started: Listening[] = [];

async function start(port = 0, more: { rules?: DemoRule[]; settingsUrl?: string } = {}): Promise<Listening> {
  const links = { loginUrl: 'http://127.0.0.1:1/login?a=b&c=d', logoutUrl: 'http://127.0.0.1:1/logout' };
  const app = await startDemoApp({ port, ...links, identityHeaders, ...more });
  started.push(app);
  return app;
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((app) => app.close()));
});

test('a program gets the request as it arrived and the identity headers as they came', async () => {
  const app = await start();
  const headers = { 'x-user-id': 'a%C3%A9', accept: '*/*', 'x-other': '1' };
  const response = await fetch(`${app.url}/any/path?q=%41`, { method: 'PUT', headers, body: 'x' });
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({
    method: 'PUT',
    path: '/any/path?q=%41',
    headers: { 'x-user-id': 'a%C3%A9', 'x-other': '1' },
    identity: { 'X-User-Id': 'a%C3%A9' },
  });
});

test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('answers %s', async (method) => {
  const app = await start();
  expect(await (await fetch(`${app.url}/`, { method })).json()).toMatchObject({ method, identity: {} });
});

test('credentials are masked, for programs and on the page', async () => {
  const app = await start();
  const secret = 'canary-7f3a';
  const headers = {
    authorization: `Bearer ${secret}`,
    cookie: `a=${secret}; ory_kratos_session=${secret}=`,
    'x-session-token': secret,
  };
  for (const accept of ['application/json', 'text/html']) {
    const text = await (await fetch(app.url, { headers: { ...headers, accept } })).text();
    expect(text).not.toContain(secret);
    expect(text).toContain('Bearer ***');
    expect(text).toContain('ory_kratos_session=***');
  }
});

test('a browser gets a page that greets by email, decodes the identity and offers to log out', async () => {
  const app = await start();
  const headers = { accept: 'text/html', 'x-user-id': 'id-1', 'x-user-email': 'l%C3%B6v@example.com' };
  const page = await (await fetch(`${app.url}/orders`, { headers })).text();
  expect(page).toContain('löv@example.com');
  expect(page).toContain('id-1');
  expect(page).toContain('GET /orders HTTP/1.1');
  expect(page).toContain('Log out');
  expect(page).not.toContain('Log in');
});

test('without an identity the page offers to log in', async () => {
  const app = await start();
  const page = await (await fetch(app.url, { headers: { accept: 'text/html' } })).text();
  expect(page).toContain('stranger');
  expect(page).toContain('href="http://127.0.0.1:1/login?a=b&amp;c=d"');
  expect(page).not.toContain('Log out');
});

test('a link for each rule says what it asks, and which one this page is', async () => {
  const rules = [
    { name: 'admin', href: '/admin/', note: 'a second factor' },
    { name: 'app', href: 'http://127.0.0.1:8080/orders?a=b', note: '<any> session' },
  ];
  const app = await start(0, { rules });
  const page = await (await fetch(`${app.url}/orders?a=b`, { headers: { accept: 'text/html' } })).text();
  expect(page).toContain('<a href="/admin/"><strong>admin</strong> <span>a second factor</span></a>');
  expect(page).toContain('aria-current="page"><strong>app</strong> <span>&lt;any&gt; session</span></a>');
  expect(page.split('aria-current').length).toBe(3);
});

test('who is known is led to the settings of the account, a stranger is not', async () => {
  const app = await start(0, { settingsUrl: 'http://127.0.0.1:1/settings?x' });
  const known = { accept: 'text/html', 'x-user-id': 'id-1' };
  expect(await (await fetch(app.url, { headers: known })).text()).toContain('href="http://127.0.0.1:1/settings?x"');
  expect(await (await fetch(app.url, { headers: { accept: 'text/html' } })).text()).not.toContain('settings?x');
});

test('nothing from the request becomes markup', async () => {
  const app = await start();
  const evil = '<script>alert(1)</script>"\'';
  const encoded = encodeURIComponent(evil);
  const headers = { accept: 'text/html', 'x-user-id': encoded, 'x-user-email': evil, 'x-other': evil };
  const response = await fetch(`${app.url}/?q=${encoded}`, { headers });
  const page = await response.text();
  expect(page).not.toContain('<script');
  expect(page).toContain('&lt;script&gt;');
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
});

test('a broken escape in an identity header is shown as it came', async () => {
  const app = await start();
  const headers = { accept: 'text/html', 'x-user-id': '100%' };
  expect(await (await fetch(app.url, { headers })).text()).toContain('100%');
});

test('says that it is for development', async () => {
  const app = await start();
  expect((await fetch(app.url)).headers.get('x-ory-envoy-development')).toBe('not for production');
});

test('a port in use is Node’s own error', async () => {
  const app = await start();
  await expect(start(Number(new URL(app.url).port))).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
