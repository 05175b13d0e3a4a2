// The development Ory as a whole: loopback alone, what every answer carries, its bounds.
import { request } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { type DevOry, type DevOryOptions, startDevOry } from './ory.ts';

const html = { accept: 'text/html' };
const started: DevOry[] = [];

async function start(options: Partial<DevOryOptions> = {}): Promise<DevOry> {
  const ory = await startDevOry({ port: 0, audience: ['https://api.example.com'], ...options });
  started.push(ory);
  return ory;
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((ory) => ory.close()));
});

async function get(url: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { redirect: 'manual', headers });
}

function cookiesOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((line) => line.split(';', 1)[0])
    .join('; ');
}

function field(page: string, name: string): string {
  return new RegExp(`name="${name}" value="([^"]*)"`).exec(page)?.[1] ?? '';
}

/** As a browser would: to the page, its form, and back. */
async function openLogin(ory: DevOry, query = ''): Promise<{ cookie: string; pageUrl: string; page: string }> {
  const begun = await get(`${ory.url}/self-service/login/browser${query}`, html);
  const cookie = cookiesOf(begun);
  const pageUrl = begun.headers.get('location') ?? '';
  return { cookie, pageUrl, page: await (await get(pageUrl, { ...html, cookie })).text() };
}

async function submit(page: string, cookie: string, identifier: string, password: string): Promise<Response> {
  const action = /<form method="post" action="([^"]+)"/.exec(page)?.[1] ?? '';
  const body = new URLSearchParams({ method: 'password', csrf_token: field(page, 'csrf_token'), identifier, password });
  return fetch(action, { method: 'POST', redirect: 'manual', headers: { ...html, cookie }, body });
}

test('the login page lists the seeded users and logs one of them in with one form', async () => {
  const ory = await start();
  const { cookie, page } = await openLogin(ory, '?return_to=http://127.0.0.1:8080/orders');
  for (const { email, password } of ory.users) {
    expect(page).toContain(email);
    expect(page).toContain(password);
  }
  const [ada] = ory.users;
  const response = await submit(page, cookie, ada?.email ?? '', ada?.password ?? '');
  expect(response.status).toBe(303);
  expect(response.headers.get('location')).toBe('http://127.0.0.1:8080/orders');
  const who = await get(`${ory.url}/sessions/whoami`, { cookie: cookiesOf(response) });
  expect(await who.json()).toMatchObject({ identity: { id: ada?.id, verifiable_addresses: [{ verified: true }] } });
  expect(await (await get(ory.url, { cookie: cookiesOf(response) })).text()).toContain('logged in as');
});

test('the login page escapes what was typed and says that the login failed', async () => {
  const ory = await start();
  const { cookie, pageUrl, page } = await openLogin(ory);
  const evil = '"><script>alert(1)</script>@x';
  const response = await submit(page, cookie, evil, 'wrong');
  expect(response.headers.get('location')).toBe(pageUrl);
  const again = await (await get(pageUrl, { ...html, cookie })).text();
  expect(again).not.toContain('<script');
  expect(again).toContain('&quot;&gt;&lt;script&gt;');
  expect(again).toContain('role="alert"');
});

test('no page runs scripts, is framed, or loads anything from elsewhere', async () => {
  const ory = await start();
  const { cookie, pageUrl } = await openLogin(ory);
  for (const url of [
    pageUrl,
    ory.url,
    `${ory.url}/nothing`,
    `${ory.url}/self-service/login/browser?return_to=https://a<b>`,
  ]) {
    const response = await get(url, { ...html, cookie });
    const policy = response.headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(await response.text()).not.toMatch(/<script|<link|<img|@import|url\(|<b>/);
  }
});

test('every answer says that it is for development', async () => {
  const ory = await start();
  const paths = ['/', '/ui/login', '/sessions/whoami', '/nothing', '/.well-known/jwks.json'];
  for (const path of paths) {
    const response = await get(`${ory.url}${path}`);
    expect(response.headers.get('x-ory-envoy-development')).toBe('not for production');
  }
});

test('a return_to elsewhere is refused on a page that names it escaped', async () => {
  const ory = await start();
  const target = encodeURIComponent('https://evil.example/<img src=x>');
  for (const path of ['/self-service/login/browser', '/ui/logout']) {
    const response = await get(`${ory.url}${path}?return_to=${target}`, html);
    expect(response.status).toBe(400);
    expect(await response.text()).not.toContain('<img');
  }
});

test('the logout link ends the session and leads back', async () => {
  const ory = await start();
  const { cookie, page } = await openLogin(ory);
  const [ada] = ory.users;
  const session = cookiesOf(await submit(page, cookie, ada?.email ?? '', ada?.password ?? ''));
  const back = 'http://localhost:8080/';
  const link = await get(`${ory.url}/ui/logout?return_to=${encodeURIComponent(back)}`, { ...html, cookie: session });
  const done = await get(link.headers.get('location') ?? '', { ...html, cookie: session });
  expect([done.status, done.headers.get('location')]).toEqual([303, back]);
  expect((await get(`${ory.url}/sessions/whoami`, { cookie: session })).status).toBe(401);
  const again = await get(`${ory.url}/ui/logout?return_to=${encodeURIComponent(back)}`, html);
  expect(again.headers.get('location')).toBe(back);
});

test('a logout to which another site has led is asked about first', async () => {
  const ory = await start();
  const { cookie, page } = await openLogin(ory);
  const [ada] = ory.users;
  const session = cookiesOf(await submit(page, cookie, ada?.email ?? '', ada?.password ?? ''));
  const led = { ...html, cookie: session, 'sec-fetch-site': 'cross-site' };
  const asked = await get(`${ory.url}/ui/logout?return_to=http%3A%2F%2Flocalhost%2F`, led);
  expect([asked.status, asked.headers.get('location')]).toEqual([200, null]);
  expect(await asked.text()).toContain('href="logout?return_to=http%3A%2F%2Flocalhost%2F"');
  expect((await get(`${ory.url}/sessions/whoami`, { cookie: session })).status).toBe(200);
});

test('it answers to names of this machine alone: a page whose name points here is no page of its own', async () => {
  const ory = await start();
  const { port } = new URL(ory.url);
  const asked = await new Promise<number | undefined>((resolve, reject) => {
    const options = { port, path: '/self-service/login/api', headers: { host: `evil.example:${port}` } };
    request({ host: '127.0.0.1', ...options }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
  expect(asked).toBe(403);
});

test('sessions and tokens live by the clock that it was given', async () => {
  let now = Date.now();
  const ory = await start({ clock: () => now, sessionLifespanSeconds: 60 });
  const { cookie, page } = await openLogin(ory);
  const [ada] = ory.users;
  const session = cookiesOf(await submit(page, cookie, ada?.email ?? '', ada?.password ?? ''));
  const status = async () => (await get(`${ory.url}/sessions/whoami`, { cookie: session })).status;
  now += 59_000;
  expect(await status()).toBe(200);
  now += 1_000;
  expect(await status()).toBe(401);
  now += 3_600_000;
  expect(
    (
      await get(
        `${ory.url}/self-service/login/flows?id=${new URL(page.match(/action="([^"]+)"/)?.[1] ?? '').searchParams.get('flow')}`,
      )
    ).status,
  ).toBe(404);
});

test('the seeded client gets a token with its secret in the header or in the body, for its audience', async () => {
  const ory = await start({ issuer: 'http://issuer.example/' });
  const { id, secret } = ory.client;
  const form = { grant_type: 'client_credentials', audience: 'https://api.example.com', scope: 'read' };
  const basic = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
  const requests = [
    { headers: { authorization: basic }, body: new URLSearchParams(form) },
    { body: new URLSearchParams({ ...form, client_id: id, client_secret: secret }) },
  ];
  for (const request of requests) {
    const response = await fetch(`${ory.url}/oauth2/token`, { method: 'POST', ...request });
    const { access_token: token } = (await response.json()) as { access_token: string };
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    expect(claims).toMatchObject({ iss: 'http://issuer.example/', aud: ['https://api.example.com'], sub: id });
  }
});

test('the issuer is the URL unless another is given', async () => {
  const ory = await start();
  expect(ory.issuer).toBe(ory.url);
});

test('the admin API takes no body that another origin could send unasked', async () => {
  const ory = await start();
  const body = JSON.stringify({ schema_id: 'person', traits: { email: 'x@example.com' } });
  const response = await fetch(`${ory.url}/admin/identities`, { method: 'POST', body });
  expect(response.status).toBe(400);
});

test('an oversized body is refused unread', async () => {
  const ory = await start();
  const response = await fetch(`${ory.url}/oauth2/token`, { method: 'POST', body: 'x'.repeat(70_000) });
  expect(response.status).toBe(413);
  const stream = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1024)) });
  const endless = fetch(`${ory.url}/oauth2/token`, { method: 'POST', body: stream, duplex: 'half' } as RequestInit);
  expect(
    await endless.then(
      (r) => r.status,
      () => 411,
    ),
  ).toBe(411);
});

test('odd requests are answered, not with an error of its own', async () => {
  const ory = await start();
  const bodies = [
    '',
    '{',
    'null',
    '[]',
    '[null]',
    '"x"',
    '{"traits":[]}',
    '{"traits":{"__proto__":1}}',
    '{"kty":"RSA"}',
  ];
  const targets = [
    ['POST', '/admin/identities'],
    ['PATCH', `/admin/identities/${ory.users[0]?.id}`],
    ['PUT', `/admin/identities/${ory.users[0]?.id}`],
    ['POST', '/admin/clients'],
    ['PUT', '/admin/keys/hydra.jwt.access-token/x'],
    ['POST', '/self-service/login?flow=x'],
    ['DELETE', '/self-service/logout/api'],
  ] as const;
  for (const [method, path] of targets) {
    for (const body of bodies) {
      const headers = { 'content-type': 'application/json', accept: 'application/json' };
      const { status } = await fetch(`${ory.url}${path}`, { method, headers, body });
      expect([method, path, body, status < 500]).toEqual([method, path, body, true]);
    }
  }
});

test('a port in use is Node’s own error', async () => {
  const ory = await start();
  await expect(start({ port: Number(new URL(ory.url).port) })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('it listens on this machine alone', async () => {
  await expect(start({ host: '0.0.0.0' })).rejects.toThrow('this machine alone');
});

test('closing it frees the port although a connection is kept alive', async () => {
  const ory = await start();
  await get(ory.url);
  await ory.close();
  await expect(get(ory.url)).rejects.toThrow();
});

test('what the seeded client may ask for can change while it runs', async () => {
  const ory = await start({ audience: ['before'] });
  const ask = (audience: string) =>
    fetch(`${ory.url}/oauth2/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${ory.client.id}:${ory.client.secret}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', audience }),
    });
  expect([(await ask('before')).status, (await ask('after')).status]).toEqual([200, 400]);
  ory.setAudience(['after']);
  expect([(await ask('before')).status, (await ask('after')).status]).toEqual([400, 200]);
  expect(ory.client.audience).toEqual(['after']);
});
