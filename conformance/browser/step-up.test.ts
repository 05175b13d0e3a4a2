// What a person meets where a rule asks for more than a session: the second factor, and a login that is not too old. A
// real Chromium, a real Envoy, on the development Ory and on a real Kratos, which asks for nothing of the kind itself.
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Person, PersonWithTotp } from '../ory/ory.ts';
import { until } from '../until.ts';
import { startChromium } from './chromium.ts';
import { type Place, type PlaceOptions, startPlace } from './place.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await startChromium();
});
afterAll(() => browser?.close());

const PLACES: PlaceOptions[] = [
  { ory: 'the development Ory', onOrigin: false, transport: 'http', requiredAal: 'aal1' },
  { ory: 'the development Ory', onOrigin: true, transport: 'grpc', requiredAal: 'aal1' },
  { ory: 'the real Kratos', onOrigin: false, transport: 'grpc', requiredAal: 'aal1' },
  { ory: 'the real Kratos', onOrigin: true, transport: 'http', requiredAal: 'aal1' },
];

const password = 'input[name=password]:not([type=hidden])';
const code = 'input[name=totp_code]:not([type=hidden])';

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
    context = await browser.newContext({ viewport: { width: 1000, height: 860 }, bypassCSP: true });
    context.setDefaultTimeout(10_000);
    page = await context.newPage();
  });
  afterEach(() => context?.close());

  const link = (rule: string) => `${place.url}/${rule}/deep?x=1&y=%2F`;
  const greeting = () => page.locator('h1').innerText();
  const send = (field: string) => page.locator(`form:has(${field}) button[type=submit]`).last().click();

  async function logIn({ email, password: secret }: Person): Promise<void> {
    await page.locator('input[name=identifier]:not([type=hidden])').fill(email);
    await page.locator(password).fill(secret);
    await send(password);
  }

  async function giveCode(): Promise<void> {
    await page.locator(code).fill(place.ory.totpCode(careful));
    await send(code);
  }

  /** Visits `url` until it leads elsewhere. */
  async function untilSentAway(url: string): Promise<void> {
    await until('the login is too old', async () => {
      await page.goto(url);
      return page.url() !== url;
    });
  }

  it('a link that wants the second factor asks whoever is logged in for it alone, and opens with its query', async () => {
    await page.goto(link('app'));
    await logIn(careful);
    await page.waitForURL(link('app'));
    await page.goto(link('careful'));
    await page.locator(code).waitFor();
    expect(await page.locator(password).count()).toBe(0);
    await giveCode();
    await page.waitForURL(link('careful'));
    expect(await greeting()).toBe(`Hello, ${careful.email}`);
    expect(await page.locator('pre').first().innerText()).toContain('GET /careful/deep?x=1&y=%2F');
  });

  it('a stranger on such a link goes through both, and lands on it', async () => {
    await page.goto(link('careful'));
    await logIn(careful);
    await page.locator(code).waitFor();
    await giveCode();
    await page.waitForURL(link('careful'));
    expect(await greeting()).toBe(`Hello, ${careful.email}`);
  });

  it('a link that wants a recent login asks for the password anew, as the same person, and opens with its query', async () => {
    await page.goto(link('recent'));
    await logIn(person);
    await page.waitForURL(link('recent'));
    await untilSentAway(link('recent'));
    // Who one is, is known.
    expect(await page.locator(`form:has(${password}) input[name=identifier]`).last().inputValue()).toBe(person.email);
    await page.locator(password).fill(person.password);
    await send(password);
    await page.waitForURL(link('recent'));
    expect(await greeting()).toBe(`Hello, ${person.email}`);
    expect(await page.locator('pre').first().innerText()).toContain('GET /recent/deep?x=1&y=%2F');
  });

  it('a link that wants both asks for the second factor anew', async () => {
    await page.goto(link('both'));
    await logIn(careful);
    await page.locator(code).waitFor();
    await giveCode();
    await page.waitForURL(link('both'));
    await untilSentAway(link('both'));
    expect(await page.locator(password).count()).toBe(0);
    await giveCode();
    await page.waitForURL(link('both'));
    expect(await greeting()).toBe(`Hello, ${careful.email}`);
  });

  it('a script reads where to go, leads the person there and back, and goes on', async () => {
    const told = () =>
      page.evaluate(async (url) => {
        const response = await fetch(url, { credentials: 'include' });
        const body = (await response.json()) as { redirect_browser_to?: string };
        return { status: response.status, to: body.redirect_browser_to };
      }, `${place.url}/careful/data`);
    await page.goto(link('app'));
    await logIn(careful);
    await page.waitForURL(link('app'));
    const { status, to = '' } = await told();
    expect([status, to]).toEqual([403, `${place.oryUrl}/self-service/login/browser?aal=aal2`]);
    await page.evaluate(`location.href = ${JSON.stringify(to)} + '&return_to=' + encodeURIComponent(location.href)`);
    await giveCode();
    await page.waitForURL(link('app'));
    expect((await told()).status).toBe(200);
  });

  it('whoever has no second factor is told where one is set up, and by the third visit also by the edge', async () => {
    await page.goto(link('app'));
    await logIn(person);
    await page.waitForURL(link('app'));
    for (let i = 0; i < 2; i++) {
      await page.goto(link('careful'));
      await page.getByRole('link', { name: 'set one up in its settings' }).waitFor();
      expect(page.url()).not.toBe(link('careful'));
    }
    await page.goto(link('careful'));
    expect(page.url()).toBe(link('careful'));
    expect(await greeting()).toBe('This page wants a second factor');
    await page.getByRole('link', { name: 'set one up in its settings' }).click();
    await page.locator(code).waitFor();
  });

  it('whoever comes back without having logged in anew is told what the page wants, and may still do it', async () => {
    await page.goto(link('recent'));
    await logIn(person);
    await page.waitForURL(link('recent'));
    await untilSentAway(link('recent'));
    await page.goto(link('recent'));
    await page.locator(password).waitFor();
    await page.goto(link('recent'));
    expect(page.url()).toBe(link('recent'));
    expect(await greeting()).toBe('This page wants a more recent login');
    expect(await page.locator('main p').first().innerText()).toContain('older than this page takes (3s)');
    await page.getByRole('link', { name: 'Log in anew' }).click();
    await page.locator(password).fill(person.password);
    await send(password);
    await page.waitForURL(link('recent'));
    expect(await greeting()).toBe(`Hello, ${person.email}`);
  });
});
