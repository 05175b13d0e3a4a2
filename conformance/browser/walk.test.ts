// What a person meets: an anonymous deep link, the login, that link with its query, a second factor, a second tab, logout,
// the back button; and what a page's script meets. A real Chromium, a real Envoy, on the development Ory and on a real
// Kratos, with Ory on an origin of its own and on the edge's.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Person, PersonWithTotp } from '../ory/ory.ts';
import { startChromium } from './chromium.ts';
import { type Place, type PlaceOptions, startPlace } from './place.ts';

/** Where pictures of the pages are put; nowhere without it. */
const PICTURES = process.env['ORY_ENVOY_PICTURES'];

let browser: Browser;
beforeAll(async () => {
  browser = await startChromium();
});
afterAll(() => browser?.close());

const PLACES: PlaceOptions[] = [
  { ory: 'the development Ory', onOrigin: false, transport: 'http' },
  { ory: 'the development Ory', onOrigin: true, transport: 'grpc' },
  { ory: 'the real Kratos', onOrigin: false, transport: 'grpc' },
  { ory: 'the real Kratos', onOrigin: true, transport: 'http' },
];

describe.each(PLACES)('on $ory, on the edge’s origin: $onOrigin, over $transport', (options) => {
  let place: Place;
  let person: Person;
  let careful: PersonWithTotp;
  let context: BrowserContext;
  let page: Page;

  beforeAll(async () => {
    place = await startPlace(options);
    person = await place.ory.createPerson();
    careful = await place.ory.createPersonWithTotp();
  });
  afterAll(() => place?.close());
  beforeEach(async () => {
    // The demo application's pages allow no scripts; those of these tests are to run in them.
    context = await browser.newContext({ viewport: { width: 1000, height: 860 }, bypassCSP: true });
    context.setDefaultTimeout(10_000);
    page = await context.newPage();
  });
  afterEach(() => context?.close());

  const deepLink = () => `${place.url}/deep/link?x=1&y=%2F`;

  async function picture(name: string, of = page): Promise<void> {
    if (PICTURES === undefined || options.onOrigin) return;
    // Of the application there is no other picture with a real Kratos.
    if (options.ory === 'the real Kratos' && !['login', 'second-factor', 'settings'].includes(name)) return;
    const prefix = options.ory === 'the real Kratos' ? 'kratos-' : '';
    mkdirSync(PICTURES, { recursive: true });
    await of.screenshot({ path: join(PICTURES, `${prefix}${name}.png`) });
  }

  async function logIn({ email, password }: Person, of = page): Promise<void> {
    await of.locator('input[name=identifier]:not([type=hidden])').fill(email);
    await of.locator('input[name=password]:not([type=hidden])').fill(password);
    await of.locator('form:has(input[name=password]:not([type=hidden])) button[type=submit]').last().click();
  }

  const greeting = (of = page) => of.locator('h1').innerText();

  it('an anonymous deep link leads to the login and, with its query, back', async () => {
    await page.goto(deepLink());
    expect(page.url()).not.toBe(deepLink());
    await picture('login');
    await logIn(person);
    await page.waitForURL(deepLink());
    expect(await greeting()).toBe(`Hello, ${person.email}`);
    expect(await page.locator('pre').first().innerText()).toContain('GET /deep/link?x=1&y=%2F');
    expect(await page.locator('table').first().innerText()).toContain(person.id);
    await picture('application');
    await page.emulateMedia({ colorScheme: 'dark' });
    await picture('application-dark');
  });

  it('a wrong password stays on the login, and the right one then leads to the link', async () => {
    await page.goto(deepLink());
    await logIn({ ...person, password: 'wrong-password' });
    await page.getByRole('alert').first().waitFor();
    await logIn(person);
    await page.waitForURL(deepLink());
  });

  it('who has a second factor is asked for it, and lands on the link as well', async () => {
    await page.goto(deepLink());
    await logIn(careful);
    const code = page.locator('input[name=totp_code]:not([type=hidden])');
    await code.waitFor();
    expect(new URL(page.url()).pathname).not.toBe('/deep/link');
    await picture('second-factor');
    await code.fill(place.ory.totpCode(careful));
    await page.locator('form:has(input[name=totp_code]:not([type=hidden])) button[type=submit]').last().click();
    await page.waitForURL(deepLink());
    expect(await greeting()).toBe(`Hello, ${careful.email}`);
  });

  it('who comes back a third time without a session is told why, and may still log in', async () => {
    for (let i = 0; i < 2; i++) {
      await page.goto(deepLink());
      await page.locator('input[name=password]:not([type=hidden])').waitFor();
    }
    await page.goto(deepLink());
    expect(page.url()).toBe(deepLink());
    expect(await greeting()).toBe('The login leads back here without a session');
    expect(await page.locator('li').first().innerText()).toContain('allowed_return_urls');
    await picture('login-loop');
    await page.getByRole('link', { name: 'Try the login once more' }).click();
    await logIn(person);
    await page.waitForURL(deepLink());
  });

  it('a script of a person without the second factor is told so with 403', async () => {
    await page.goto(deepLink());
    await logIn(careful);
    await page.locator('input[name=totp_code]:not([type=hidden])').waitFor();
    await page.goto(`${place.url}/open`);
    expect(await greeting()).toBe('Hello, stranger');
    expect(await fetched('/api/data')).toEqual([403, 'aal_insufficient']);
  });

  /** Status and reason, as a script of the page reads them. */
  async function fetched(path: string): Promise<[number, unknown]> {
    return page.evaluate(async (url): Promise<[number, unknown]> => {
      const response = await fetch(url, { credentials: 'include' });
      return [response.status, ((await response.json()) as { reason?: string }).reason];
    }, new URL(path, place.url).href);
  }

  it('a second tab is logged in already, and logged out with the first', async () => {
    await page.goto(deepLink());
    await logIn(person);
    await page.waitForURL(deepLink());
    const second = await context.newPage();
    await second.goto(`${place.url}/other`);
    expect(await greeting(second)).toBe(`Hello, ${person.email}`);
    await second.getByRole('link', { name: 'Log out' }).click();
    await second.waitForURL(`${place.url}/open`);
    expect(await greeting(second)).toBe('Hello, stranger');
    await page.reload();
    await page.locator('input[name=password]:not([type=hidden])').waitFor();
  });

  it('the back button after logout shows nothing of before', async () => {
    await page.goto(deepLink());
    await logIn(person);
    await page.waitForURL(deepLink());
    await page.getByRole('link', { name: 'Log out' }).click();
    await page.waitForURL(`${place.url}/open`);
    await page.goBack();
    await page.locator('input[name=password]:not([type=hidden])').waitFor();
    expect(await page.content()).not.toContain(`Hello, `);
    await logIn(person);
    await page.waitForURL(deepLink());
  });

  it('a script gets 401 and can read it, and 200 once somebody has logged in', async () => {
    await page.goto(`${place.url}/open`);
    expect(await greeting()).toBe('Hello, stranger');
    expect(await fetched('/api/data')).toEqual([401, 'credential_missing']);
    expect(await fetched('/deep/link')).toEqual([401, 'credential_missing']);
    await page.getByRole('link', { name: 'Log in' }).click();
    await logIn(person);
    await page.waitForURL(`${place.url}/`);
    expect(await fetched('/api/data')).toEqual([200, undefined]);
  });

  it('a script of another origin can read the 401 of a rule that names it, and of no other', async () => {
    await page.goto(place.pageUrl);
    expect(await fetched('/api/data')).toEqual([401, 'credential_missing']);
    await expect(fetched('/deep/link')).rejects.toThrow('Failed to fetch');
  });

  it('the account’s settings are a click away, and lead through the second factor', async () => {
    await page.goto(deepLink());
    await logIn(person);
    await page.waitForURL(deepLink());
    await page.getByRole('link', { name: 'Account settings' }).click();
    await page.locator('input[name=totp_code]:not([type=hidden])').waitFor();
    expect(await page.locator('img[src^="data:image/png"]').count()).toBe(1);
    await picture('settings');
  });

  it('the session cookie is for the edge’s own host, and no script reads it', async () => {
    await page.goto(deepLink());
    await logIn(person);
    await page.waitForURL(deepLink());
    const cookies = await context.cookies(place.url);
    const session = cookies.find(({ name }) => name.startsWith('ory_'));
    expect(session).toMatchObject({ domain: '127.0.0.1', httpOnly: true });
    expect(await page.evaluate('document.cookie')).toBe('');
  });
});
