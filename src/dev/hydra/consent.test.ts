// Consent at the development Ory, through its pages.
import { createHash, randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { type DevOry, type DevOryOptions, startDevOry } from '../ory.ts';
import { Browser, type Form, formsOf, type Page } from '../testing/browser.ts';

const redirectUri = 'http://127.0.0.1:9/callback';
const started: DevOry[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((ory) => ory.close()));
});

async function start(options: Partial<DevOryOptions> = {}): Promise<{ ory: DevOry; browser: Browser }> {
  const ory = await startDevOry({ port: 0, audience: [], ...options });
  started.push(ory);
  return { ory, browser: new Browser() };
}

async function register(ory: DevOry, more: Record<string, unknown> = {}, path = '/oauth2/register'): Promise<string> {
  const response = await fetch(`${ory.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'An <app>',
      redirect_uris: [redirectUri],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      scope: 'openid offline read',
      ...more,
    }),
  });
  return ((await response.json()) as { client_id: string }).client_id;
}

interface Asked {
  readonly url: string;
  readonly verifier: string;
}

function ask(ory: DevOry, clientId: string, more: Record<string, string> = {}): Asked {
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id: clientId,
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: 'openid offline read',
    state: 'state-1234',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  });
  return { url: `${ory.url}/oauth2/auth?${query}`, verifier };
}

function first(page: Page): Form {
  const [form] = formsOf(page);
  if (!form) throw new Error(`no form on ${page.url}: ${page.status} ${page.text}`);
  return form;
}

const callback = /^http:\/\/127\.0\.0\.1:9\//;
const codeOf = (page: Page) => new URL(page.url).searchParams.get('code') ?? '';

async function exchange(ory: DevOry, clientId: string, code: string, verifier: string): Promise<Response> {
  const form = { grant_type: 'authorization_code', client_id: clientId, redirect_uri: redirectUri };
  const body = new URLSearchParams({ ...form, code, code_verifier: verifier });
  return fetch(`${ory.url}/oauth2/token`, { method: 'POST', body });
}

/** As Ada, by one click. */
async function toConsent(browser: Browser, url: string): Promise<Page> {
  return browser.send(first(await browser.open(url)));
}

test('the page says who wants what for whom, and where the answer goes', async () => {
  const { ory, browser } = await start();
  const page = await toConsent(browser, ask(ory, await register(ory)).url);
  expect(page.text).toContain('An &lt;app&gt;');
  expect(page.text).toContain('ada@example.com');
  for (const scope of ['openid', 'offline', 'read', '127.0.0.1:9'])
    expect(page.text).toContain(`<code>${scope}</code>`);
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
});

test('a form may lead to where the client is, whatever scheme that is', async () => {
  const { ory } = await start();
  for (const [address, source] of [
    ['https://app.example.com/cb', 'https://app.example.com'],
    ['com.example.app:/cb', 'com.example.app:'],
  ] as const) {
    const client = await register(ory, { redirect_uris: [address] });
    const page = await toConsent(new Browser(), ask(ory, client, { redirect_uri: address }).url);
    expect(page.headers.get('content-security-policy')).toContain(` ${source};`);
  }
});

test('a yes that was not given on the page of that browser counts for nothing', async () => {
  const { ory, browser } = await start();
  const { url } = ask(ory, await register(ory));
  const form = first(await toConsent(browser, url));
  const attacker = new Browser();
  const theirs = first(await toConsent(attacker, url));

  const withoutToken = await browser.send({ ...form, fields: { ...form.fields, csrf_token: '' } }, {}, callback);
  expect(withoutToken.status).toBe(403);
  const foreignToken = { ...form.fields, csrf_token: theirs.fields['csrf_token'] ?? '' };
  expect((await browser.send({ ...form, fields: foreignToken }, {}, callback)).status).toBe(403);
  const foreignRequest = { ...form.fields, consent_challenge: theirs.fields['consent_challenge'] ?? '' };
  expect((await browser.send({ ...form, fields: foreignRequest }, {}, callback)).status).toBe(400);
  expect(codeOf(await browser.send(form, {}, callback))).toMatch(/^ory_ac_/);
});

test('a yes is asked for once for each request', async () => {
  const { ory, browser } = await start();
  const form = first(await toConsent(browser, ask(ory, await register(ory)).url));
  await browser.send(form, {}, callback);
  expect((await browser.send(form, {}, callback)).status).toBe(400);
});

test('a yes after a logout, and one after ten minutes, counts for nothing', async () => {
  let now = Date.now();
  const { ory, browser } = await start({ clock: () => now });
  const { url } = ask(ory, await register(ory));
  const form = first(await toConsent(browser, url));
  now += 10 * 60 * 1000 + 1;
  expect((await browser.send(form, {}, callback)).status).toBe(400);
  const again = first(await browser.open(url));
  await browser.open(`${ory.url}/ui/logout`);
  const late = await browser.send(again, {}, callback);
  expect([late.status, codeOf(late)]).toEqual([403, '']);
});

test('a code is good for a minute', async () => {
  let now = Date.now();
  const { ory, browser } = await start({ clock: () => now });
  const client = await register(ory);
  const { url, verifier } = ask(ory, client);
  const code = codeOf(await browser.send(first(await toConsent(browser, url)), {}, callback));
  now += 60_000;
  expect((await exchange(ory, client, code, verifier)).status).toBe(400);
  const second = ask(ory, client);
  const fresh = codeOf(await browser.send(first(await browser.open(second.url)), {}, callback));
  now += 59_000;
  expect((await exchange(ory, client, fresh, second.verifier)).status).toBe(200);
});

test('whoever has a second factor gives it before they are asked', async () => {
  const { ory, browser } = await start();
  const login = await browser.open(ask(ory, await register(ory)).url);
  const katherine = formsOf(login)[2];
  if (!katherine) throw new Error('no form');
  const second = await browser.send(katherine);
  expect(second.text).toContain('<h1>Second factor</h1>');
  const consent = await browser.send(first(second));
  expect(consent.text).toContain('katherine@example.com');
});

test('half a login is asked for the second factor first', async () => {
  const { ory, browser } = await start();
  const client = await register(ory);
  const katherine = formsOf(await browser.open(`${ory.url}/self-service/login/browser`))[2];
  if (!katherine) throw new Error('no form');
  await browser.send(katherine);
  const page = await browser.open(ask(ory, client).url);
  expect(page.text).toContain('<h1>Second factor</h1>');
  expect(page.text).not.toContain('wants to act for');
});

test('who is logged in is asked at once; with prompt=login or an old login only after the password', async () => {
  let now = Date.now();
  const { ory, browser } = await start({ clock: () => now });
  const client = await register(ory);
  await toConsent(browser, ask(ory, client).url);
  expect((await browser.open(ask(ory, client).url)).text).toContain('wants to act for');
  now += 5_000;
  for (const more of [{ prompt: 'login' }, { max_age: '1' }]) {
    const page = await browser.open(ask(ory, client, more).url);
    expect(page.text).toContain('Please confirm this action');
  }
  expect((await browser.open(ask(ory, client, { max_age: '60' }).url)).text).toContain('wants to act for');
  const confirm = formsOf(await browser.open(ask(ory, client, { prompt: 'login' }).url)).at(-1);
  if (!confirm) throw new Error('no form');
  expect((await browser.send(confirm, { password: 'ada-123' })).text).toContain('wants to act for');
});

test('where nobody may be asked, a client that skips consent gets its code, any other an error', async () => {
  const { ory, browser } = await start();
  const asking = await register(ory);
  const trusted = await register(ory, { skip_consent: true }, '/admin/clients');
  await toConsent(browser, ask(ory, asking).url);
  const refused = await browser.open(ask(ory, asking, { prompt: 'none' }).url, callback);
  expect(new URL(refused.url).searchParams.get('error')).toBe('consent_required');
  expect(codeOf(await browser.open(ask(ory, trusted, { prompt: 'none' }).url, callback))).toMatch(/^ory_ac_/);
});

test.each([
  ['response_mode', 'form_post', 'unsupported_response_mode'],
  ['request', 'x', 'request_not_supported'],
  ['request_uri', 'https://x', 'request_uri_not_supported'],
  ['code_challenge', 'short', 'invalid_request'],
])('%s=%s is an error for the client', async (name, value, error) => {
  const { ory, browser } = await start();
  const page = await browser.open(ask(ory, await register(ory), { [name]: value }).url, callback);
  const query = Object.fromEntries(new URL(page.url).searchParams);
  expect(query).toMatchObject({ error, state: 'state-1234' });
});

test('a parameter that is given twice is an error, and two addresses are none', async () => {
  const { ory, browser } = await start();
  const { url } = ask(ory, await register(ory));
  const twice = await browser.open(`${url}&state=another-one`, callback);
  expect(new URL(twice.url).searchParams.get('error')).toBe('invalid_request');
  for (const more of [`redirect_uri=${encodeURIComponent(redirectUri)}`, 'client_id=x']) {
    const page = await browser.open(`${url}&${more}`, callback);
    expect([page.status, callback.test(page.url)]).toEqual([400, false]);
  }
});

test('registration is not there, nor named, where it is switched off', async () => {
  const { ory } = await start({ dynamicRegistration: false });
  const response = await fetch(`${ory.url}/oauth2/register`, { method: 'POST', body: '{}' });
  expect(response.status).toBe(404);
  const discovery = await (await fetch(`${ory.url}/.well-known/openid-configuration`)).json();
  expect(discovery).not.toHaveProperty('registration_endpoint');
});

test('the strategy of access tokens is the server’s where the client has none', async () => {
  const { ory } = await start({ accessTokenStrategy: 'opaque' });
  const { id, secret } = ory.client;
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: id, client_secret: secret });
  const response = await fetch(`${ory.url}/oauth2/token`, { method: 'POST', body });
  expect(((await response.json()) as { access_token: string }).access_token).toMatch(/^ory_at_/);
});
