// `up` as a new user meets it: the first page, one click to log in, logged out again; and with a real Kratos and Hydra in
// place of the development Ory (`--with`), whose login pages `up` serves. A real Chromium, without a file of one's own.
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type UpRig, upRig } from '../edge/rig/up-process.ts';
import { startRealOry } from '../ory/real.ts';
import { startChromium } from './chromium.ts';

const EDGE = 'http://127.0.0.1:8080';
const PAGES = 'http://127.0.0.1:4457';

let browser: Browser;
let rig: UpRig;
let page: Page;

beforeAll(async () => {
  browser = await startChromium();
});
afterAll(() => browser?.close());
beforeEach(async () => {
  rig = upRig();
  page = await browser.newPage();
  page.setDefaultTimeout(10_000);
});
afterEach(async () => {
  await page?.close();
  await rig?.close();
});

const greeting = () => page.locator('h1').innerText();

it('leads a stranger to the login, one click in, through every rule, and out again', async () => {
  await rig.up().isUp();
  await page.goto(`${EDGE}/some/page?x=1`);
  await page.getByRole('button', { name: 'Log in as Ada Lovelace' }).click();
  await page.waitForURL(`${EDGE}/some/page?x=1`);
  expect(await greeting()).toBe('Hello, ada@example.com');
  const rules = page.locator('ul.rules a');
  expect(await rules.locator('strong').allInnerTexts()).toEqual(['public', 'api', 'app']);
  await rules.filter({ hasText: 'public' }).click();
  await page.waitForURL(`${EDGE}/public/`);
  expect(await greeting()).toBe('Hello, stranger');
  await page.goto(`${EDGE}/`);
  await page.getByRole('link', { name: 'Log out' }).click();
  await page.waitForURL(`${EDGE}/public/`);
  await page.goto(`${EDGE}/some/page`);
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
});

it('takes who has a second factor through it with one more click', async () => {
  await rig.up().isUp();
  await page.goto(`${EDGE}/`);
  await page.getByRole('button', { name: 'Log in as Katherine Johnson' }).click();
  await page.getByRole('button', { name: 'Use this code' }).click();
  await page.waitForURL(`${EDGE}/`);
  expect(await greeting()).toBe('Hello, katherine@example.com');
});

it('shows its own login pages for a real Kratos, and takes its sessions and Hydra’s tokens', async () => {
  const ory = await startRealOry({ returnUrls: [EDGE], loginUiUrl: PAGES });
  try {
    const person = await ory.createPerson();
    const one = rig.up(['--with', `kratos=${ory.kratos.publicUrl},hydra=${ory.hydra.publicUrl}`]);
    await one.isUp();
    expect(one.out()).toContain(`login pages    ${PAGES}`);
    await page.goto(`${EDGE}/some/page?x=1`);
    expect(page.url().startsWith(`${PAGES}/login?flow=`)).toBe(true);
    await page.locator('input[name=identifier]:not([type=hidden])').fill(person.email);
    await page.locator('input[name=password]:not([type=hidden])').fill(person.password);
    await page.getByRole('button', { name: 'Sign in with password' }).click();
    await page.waitForURL(`${EDGE}/some/page?x=1`);
    expect(await greeting()).toBe(`Hello, ${person.email}`);
    await page.getByRole('link', { name: 'Log out' }).click();
    await page.waitForURL(`${EDGE}/public/`);
    const token = await ory.accessToken({ audience: [EDGE] });
    const answer = await fetch(`${EDGE}/api/x`, { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(200);
  } finally {
    await ory.close();
  }
});
