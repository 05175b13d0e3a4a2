// The login and settings pages with the real Kratos, whose `ui_url`s point at them; a browser without scripts goes
// through them by their forms alone.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Listening } from '../../src/dev/listen.ts';
import { startLoginUi } from '../../src/dev/login-ui.ts';
import { Browser, type Form, formsOf, type Page } from '../../src/dev/testing/browser.ts';
import { totpCode } from '../../src/dev/totp.ts';
import { freePorts } from '../ports.ts';
import { missingTool } from './build.ts';
import type { RealOry } from './ory.ts';
import { startRealOry } from './real.ts';
import { whoami } from './whoami.ts';

const missing = await missingTool();
const returnUrl = 'http://127.0.0.1:8080/';
const returnTo = `${returnUrl}orders?page=2`;
const toApp = /^http:\/\/127\.0\.0\.1:8080\//;

describe('the pages with the real Kratos', () => {
  if (missing === undefined) describePages();
  else test.skip(missing, () => undefined);
});

function describePages(): void {
  let ory: RealOry;
  let ui: Listening;

  beforeAll(async () => {
    const [port = 0] = await freePorts(1);
    ory = await startRealOry({ loginUiUrl: `http://127.0.0.1:${port}`, returnUrls: [returnUrl] });
    ui = await startLoginUi({ port, kratosUrl: ory.kratos.publicUrl });
  });
  afterAll(async () => {
    await ui?.close();
    await ory?.close();
  });

  const form = (page: Page, index = 0): Form => {
    const found = formsOf(page).at(index);
    if (!found) throw new Error(`no form on ${page.url}: ${page.text}`);
    return found;
  };
  const login = (query = '') => `${ory.kratos.publicUrl}/self-service/login/browser${query}`;
  const level = async (browser: Browser) => {
    const { status, body } = await whoami(ory, [['Cookie', browser.cookie]]);
    return status === 200 ? (body as Record<string, unknown>)['authenticator_assurance_level'] : status;
  };

  test('a person logs in, enrols an authenticator app, steps up with it, and logs out', async () => {
    const person = await ory.createPerson();
    const credentials = { identifier: person.email, password: person.password };
    const browser = new Browser();
    const page = await browser.open(login(`?return_to=${encodeURIComponent(returnTo)}`));
    expect(page.url).toMatch(new RegExp(`^${ui.url}/login\\?flow=`));
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");

    const wrong = await browser.send(form(page), { ...credentials, password: 'wrong' });
    expect(wrong.text).toContain('role="alert"');
    expect(wrong.text).toContain(`value="${person.email}"`);
    expect((await browser.send(form(wrong), credentials, toApp)).url).toBe(returnTo);
    expect(await level(browser)).toBe('aal1');

    const settings = await browser.open(
      `${ory.kratos.publicUrl}/self-service/settings/browser?return_to=${encodeURIComponent(returnTo)}`,
    );
    expect(settings.url).toMatch(new RegExp(`^${ui.url}/settings\\?flow=`));
    expect(settings.text).toContain(`<a class="button" href="${returnTo}">Back</a>`);
    expect(settings.text).toMatch(/<img src="data:image\/png;base64,/);
    const secret = /<code>([A-Z2-7]{32})<\/code>/.exec(settings.text)?.[1] ?? '';
    const mistyped = await browser.send(form(settings, -1), { totp_code: '000000' });
    expect(mistyped.text).toContain('aria-invalid="true"');
    const enrolled = await browser.send(form(mistyped, -1), { totp_code: totpCode(secret, Date.now()) }, toApp);
    expect(enrolled.url).toBe(returnTo);
    expect(await level(browser)).toBe('aal2');

    const other = new Browser();
    const again = await other.open(login(`?return_to=${encodeURIComponent(returnTo)}`));
    const second = await other.send(form(again), credentials, toApp);
    expect(second.text).toContain('Please complete the second authentication challenge.');
    expect(await level(other)).toBe(403);
    const done = await other.send(form(second), { totp_code: totpCode(secret, Date.now()) }, toApp);
    expect(done.url).toBe(returnTo);
    expect(await level(other)).toBe('aal2');

    const out = await other.open(`${ui.url}/logout?return_to=${encodeURIComponent(returnTo)}`, toApp);
    expect(out.url).toBe(returnTo);
    expect(await level(other)).toBe(401);
    expect(await level(browser)).toBe('aal2');
  });

  test('an app is taken away by one button', async () => {
    const person = await ory.createPersonWithTotp();
    const { cookie } = await ory.loginBrowser(person, { aal: 'aal2' });
    const browser = new Browser({ [cookie.name]: cookie.value });
    const settings = await browser.open(`${ory.kratos.publicUrl}/self-service/settings/browser`);
    const saved = await browser.send(form(settings, -1));
    expect(saved.text).toContain('Your changes have been saved!');
    expect(await level(new Browser({ ory_kratos_session: (await ory.loginBrowser(person)).cookie.value }))).toBe(
      'aal1',
    );
  });

  test('what is no form is told in words', async () => {
    const browser = new Browser();
    const error = await browser.open(login('?aal=aal2'));
    expect(error.url).toMatch(new RegExp(`^${ui.url}/error\\?id=`));
    expect(error.text).toContain('without an active session');
    const unknown = await browser.open(`${ui.url}/error?id=${crypto.randomUUID()}`);
    expect(unknown.status).toBe(400);
    expect((await browser.open(`${ui.url}/logout`)).text).toContain('You are not logged in.');
  });

  test('a page never leads to an address that Kratos does not allow', async () => {
    const evil = encodeURIComponent('https://evil.example/');
    const person = await ory.createPerson();
    const { cookie } = await ory.loginBrowser(person);
    const browser = new Browser({ [cookie.name]: cookie.value });
    const out = await browser.open(`${ui.url}/logout?return_to=${evil}`, /evil/);
    expect(out.url).not.toContain('//evil.example');
    expect(await level(browser)).toBe('aal1');
    for (const path of ['/login', '/settings', '/error', '/']) {
      const page = await new Browser().open(`${ui.url}${path}?return_to=${evil}`, /evil/);
      expect(new URL(page.url).host).not.toBe('evil.example');
    }
  });
}
