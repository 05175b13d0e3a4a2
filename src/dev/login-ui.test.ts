// The login pages for a real Kratos, with Kratoses that answer as they should not.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { startLoginUi } from './login-ui.ts';
import { type DevOry, startDevOry } from './ory.ts';

const html = { accept: 'text/html' };
const ending: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(ending.splice(0).map((end) => end()));
});

/** The pages, and the development Ory in the place of a Kratos. */
async function start(): Promise<{ ory: DevOry; ui: string }> {
  const ory = await startDevOry({ port: 0, audience: [] });
  const ui = await startLoginUi({ port: 0, kratosUrl: ory.url });
  ending.push(ory.close, ui.close);
  return { ory, ui: ui.url };
}

/** A server that answers everything with this, and remembers what it was asked. */
async function answering(answer: string | Buffer, status = 200): Promise<{ url: string; cookies: string[] }> {
  const cookies: string[] = [];
  const server: Server = createServer((request, response) => {
    cookies.push(request.headers.cookie ?? '');
    response.writeHead(status, { 'content-type': 'application/json' }).end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ending.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cookies };
}

async function get(url: string, headers: Record<string, string> = html): Promise<Response> {
  return fetch(url, { redirect: 'manual', headers });
}

async function begin(ory: DevOry, query = ''): Promise<{ id: string; cookie: string }> {
  const response = await get(`${ory.url}/self-service/login/browser${query}`, { accept: 'application/json' });
  const cookie = response.headers.getSetCookie().map((line) => line.split(';', 1)[0]);
  return { id: ((await response.json()) as { id: string }).id, cookie: cookie.join('; ') };
}

const flowWith = (action: string, nodes: unknown[] = []) => JSON.stringify({ id: 'x', ui: { action, nodes } });

test('a flow becomes a form that goes to Kratos itself', async () => {
  const { ory, ui } = await start();
  const { id, cookie } = await begin(ory);
  const response = await get(`${ui}/login?flow=${id}`, { ...html, cookie });
  expect(response.status).toBe(200);
  const page = await response.text();
  expect(page).toContain(`<form method="post" action="${ory.url}/self-service/login?flow=${id}">`);
  expect(page).toContain('name="csrf_token"');
  expect(page).toContain('name="identifier" type="text"');
  expect(page).toContain('name="password" type="password"');
  expect(page).toContain('Not for production');
  expect(response.headers.get('content-security-policy')).toContain(`form-action 'self'`);
  expect(response.headers.get('content-security-policy')).toContain(ory.url);
});

test('without a flow the browser is sent to Kratos to begin one', async () => {
  const { ory, ui } = await start();
  for (const kind of ['login', 'settings']) {
    const response = await get(`${ui}/${kind}`);
    expect([response.status, response.headers.get('location')]).toEqual([
      303,
      `${ory.url}/self-service/${kind}/browser`,
    ]);
  }
});

test('where the browser reaches Kratos by another address, it is sent there', async () => {
  const { ory } = await start();
  const browserUrl = 'http://127.0.0.1:8080/.ory';
  const ui = await startLoginUi({ port: 0, kratosUrl: ory.url, browserUrl });
  ending.push(ui.close);
  const response = await get(`${ui.url}/login`);
  expect(response.headers.get('location')).toBe(`${browserUrl}/self-service/login/browser`);
});

test('a flow of another browser is not shown', async () => {
  const { ory, ui } = await start();
  const { id } = await begin(ory);
  const { cookie } = await begin(ory);
  for (const headers of [html, { ...html, cookie }]) {
    const response = await get(`${ui}/login?flow=${id}`, headers);
    expect(response.status).toBe(403);
    expect(await response.text()).not.toContain('csrf_token');
  }
});

test('a flow that is gone says so and offers a new one', async () => {
  const { ory, ui } = await start();
  const response = await get(`${ui}/login?flow=${crypto.randomUUID()}`);
  expect(response.status).toBe(410);
  expect(await response.text()).toContain(`href="${ory.url}/self-service/login/browser"`);
});

test('only Kratos’s own cookies are shown to it', async () => {
  const kratos = await answering('{}', 404);
  const ui = await startLoginUi({ port: 0, kratosUrl: kratos.url, sessionCookies: ['acme', 'ory_session_*'] });
  ending.push(ui.close);
  const cookie = 'other=1; csrf_token_x=2; acme=3; acme2=4; ory_session_y=5; broken';
  await get(`${ui.url}/login?flow=x`, { ...html, cookie });
  expect(kratos.cookies).toEqual(['csrf_token_x=2; acme=3; ory_session_y=5']);
});

test.each(['javascript:alert(1)', 'data:text/html,x', 'http://a;script-src/', '', 'nonsense'])(
  'a form is not sent to %j',
  async (action) => {
    const kratos = await answering(flowWith(action));
    const ui = await startLoginUi({ port: 0, kratosUrl: kratos.url });
    ending.push(ui.close);
    const response = await get(`${ui.url}/login?flow=x`);
    expect(response.status).toBe(502);
    expect(await response.text()).not.toContain('<form');
    expect(response.headers.get('content-security-policy')).not.toContain('script-src');
  },
);

test('an answer without end, one that is no JSON and none at all are a page that says so', async () => {
  const long = await answering(Buffer.alloc(1_000_000, 0x20));
  const text = await answering('<html>');
  const nobody = await startDevOry({ port: 0, audience: [] });
  await nobody.close();
  for (const [url, says] of [
    [long.url, 'longer than'],
    [text.url, 'nothing that can be shown'],
    [nobody.url, 'ECONNREFUSED'],
  ] as const) {
    const ui = await startLoginUi({ port: 0, kratosUrl: url });
    ending.push(ui.close);
    const response = await get(`${ui.url}/login?flow=x`);
    expect([url, response.status]).toEqual([url, 502]);
    expect(await response.text()).toContain(says);
  }
});

test('a Kratos that hangs is waited for no longer than allowed', async () => {
  const server = createServer(() => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ending.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const kratosUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ui = await startLoginUi({ port: 0, kratosUrl, timeoutMs: 100 });
  ending.push(ui.close);
  expect(await (await get(`${ui.url}/login?flow=x`)).text()).toContain('it took too long');
});

test('it listens on this machine alone', async () => {
  const started = startLoginUi({ host: '0.0.0.0', port: 0, kratosUrl: 'http://127.0.0.1:1' });
  await expect(started).rejects.toThrow('this machine alone');
});

test('its options are read anew for each page', async () => {
  const options = { port: 0, kratosUrl: 'http://127.0.0.1:9', browserUrl: 'http://127.0.0.1:8080/.ory' };
  const ui = await startLoginUi(options);
  ending.push(ui.close);
  const begins = async () => (await get(`${ui.url}/login`)).headers.get('location');
  expect(await begins()).toBe('http://127.0.0.1:8080/.ory/self-service/login/browser');
  options.browserUrl = 'http://127.0.0.1:8080/auth';
  expect(await begins()).toBe('http://127.0.0.1:8080/auth/self-service/login/browser');
});
