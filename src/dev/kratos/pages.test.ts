// The pages of login and settings at the development Ory, as a browser without scripts meets them.
import { afterEach, expect, test } from 'vitest';
import { type DevOry, type DevOryOptions, startDevOry } from '../ory.ts';
import { Browser, formsOf } from '../testing/browser.ts';
import { totpCode } from '../totp.ts';

const started: DevOry[] = [];
const toApp = /^http:\/\/127\.0\.0\.1:8080\//;
const back = 'http://127.0.0.1:8080/orders?page=2';

afterEach(async () => {
  await Promise.all(started.splice(0).map((ory) => ory.close()));
});

async function start(options: Partial<DevOryOptions> = {}): Promise<{ ory: DevOry; browser: Browser }> {
  const ory = await startDevOry({ port: 0, audience: [], ...options });
  started.push(ory);
  return { ory, browser: new Browser() };
}

const loginUrl = (ory: DevOry, query = '') => `${ory.url}/self-service/login/browser${query}`;

/** By one click; 0 is Ada, 2 is Katherine, who has a second factor. */
async function click(ory: DevOry, browser: Browser, index: number, returnTo = back) {
  const page = await browser.open(loginUrl(ory, `?return_to=${encodeURIComponent(returnTo)}`));
  const form = formsOf(page)[index];
  if (!form) throw new Error('no form');
  return browser.send(form, {}, toApp);
}

async function whoami(ory: DevOry, browser: Browser): Promise<number> {
  return (await fetch(`${ory.url}/sessions/whoami`, { headers: { cookie: browser.cookie } })).status;
}

test('one click logs a seeded person in and leads back', async () => {
  const { ory, browser } = await start();
  expect((await click(ory, browser, 0)).url).toBe(back);
  expect(await whoami(ory, browser)).toBe(200);
});

test('two clicks log in whoever has a second factor: the page shows the code of the moment', async () => {
  const { ory, browser } = await start();
  const second = await click(ory, browser, 2);
  expect(second.text).toContain('<h1>Second factor</h1>');
  const [katherine] = ory.users.filter((user) => user.totpSecret !== undefined);
  if (!katherine) throw new Error('nobody has a second factor');
  expect(second.text).toContain(ory.totpCode(katherine));
  expect(await whoami(ory, browser)).toBe(403);
  const [oneClick] = formsOf(second);
  if (!oneClick) throw new Error('no form');
  expect((await browser.send(oneClick, {}, toApp)).url).toBe(back);
  expect(await whoami(ory, browser)).toBe(200);
});

test('a seeded person who enrols an app of their own is shown no code that is wrong', async () => {
  const { ory, browser } = await start();
  await browser.send(formsOf(await click(ory, browser, 2))[0] ?? { action: '', fields: {} }, {}, toApp);
  const unlink = formsOf(await browser.open(`${ory.url}/self-service/settings/browser`)).at(-1);
  if (!unlink) throw new Error('no form');
  const unlinked = await browser.send(unlink);
  const secret = /<code>([A-Z2-7]{32})<\/code>/.exec(unlinked.text)?.[1] ?? '';
  const enrol = formsOf(unlinked).at(-1);
  if (!enrol) throw new Error('no form');
  await browser.send(enrol, { totp_code: totpCode(secret, Date.now()) });
  const second = await click(ory, new Browser(), 2);
  expect(second.text).toContain('<h1>Second factor</h1>');
  expect(second.text).not.toMatch(/<code>\d{6}<\/code>/);
});

test('a second factor is not forgotten over many refreshes', async () => {
  const { ory, browser } = await start();
  await browser.send(formsOf(await click(ory, browser, 2))[0] ?? { action: '', fields: {} }, {}, toApp);
  for (let i = 0; i < 25; i++) {
    const confirm = formsOf(await browser.open(loginUrl(ory, '?refresh=true'))).at(-1);
    if (!confirm) throw new Error('no form');
    await browser.send(confirm, { password: 'katherine-123' });
  }
  const who = await fetch(`${ory.url}/sessions/whoami`, { headers: { cookie: browser.cookie } });
  const session = (await who.json()) as { authentication_methods: unknown[] };
  expect(session).toMatchObject({ authenticator_assurance_level: 'aal2' });
  expect(session.authentication_methods).toHaveLength(20);
});

test('where aal1 is enough, one click is enough', async () => {
  const { ory, browser } = await start({ requiredAal: 'aal1' });
  expect((await click(ory, browser, 2)).url).toBe(back);
  expect(await whoami(ory, browser)).toBe(200);
});

test('the code of nobody but the seeded people is shown', async () => {
  const { ory, browser } = await start();
  await click(ory, browser, 0);
  const settings = await browser.open(`${ory.url}/self-service/settings/browser`);
  const secret = /<code>([A-Z2-7]{32})<\/code>/.exec(settings.text)?.[1] ?? '';
  const enrol = formsOf(settings).at(-1);
  if (!enrol) throw new Error('no form');
  const saved = await browser.send(enrol, { totp_code: totpCode(secret, Date.now()) });
  expect(saved.text).toContain('Your changes have been saved!');
  expect(saved.text).toContain('Unlink TOTP Authenticator App');
  const other = new Browser();
  const second = await click(ory, other, 0);
  expect(second.text).toContain('<h1>Second factor</h1>');
  expect(second.text).not.toMatch(/<code>\d{6}<\/code>/);
  const [byHand] = formsOf(second);
  if (!byHand) throw new Error('no form');
  expect((await other.send(byHand, { totp_code: totpCode(secret, Date.now()) }, toApp)).url).toBe(back);
});

test('the page of another browser’s flow begins a new one', async () => {
  const { ory, browser } = await start();
  const begun = await browser.open(loginUrl(ory), /\/login\?flow=/);
  const page = await new Browser().open(begun.url, /\/self-service\/login\/browser/);
  expect(page.url).toBe(loginUrl(ory));
});

test('a form of another browser logs nobody in', async () => {
  const { ory, browser } = await start();
  const attacker = new Browser();
  const [form] = formsOf(await attacker.open(loginUrl(ory)));
  if (!form) throw new Error('no form');
  await browser.open(loginUrl(ory));
  expect((await browser.send(form)).status).toBe(403);
  expect(await whoami(ory, browser)).toBe(401);
});

test('what guards the account is changed only for an hour after the login, then the password is asked for', async () => {
  let now = Date.now();
  const { ory, browser } = await start({ clock: () => now });
  await click(ory, browser, 0);
  now += 61 * 60 * 1000;
  const settings = await browser.open(`${ory.url}/self-service/settings/browser`);
  const [profile, password] = formsOf(settings);
  if (!profile || !password) throw new Error('no forms');
  const harmless = await browser.send(profile, { 'traits.name.first': 'Augusta' });
  expect(harmless.text).toContain('value="Augusta"');
  for (const [form, given] of [
    [password, { password: 'a-brand-new-one' }],
    [profile, { 'traits.email': 'augusta@example.com' }],
  ] as const) {
    const asked = await browser.send(form, given, /refresh=true/);
    expect(asked.url).toContain('/self-service/login/browser?refresh=true&return_to=');
  }
  const confirm = await browser.open(
    `${ory.url}/self-service/login/browser?refresh=true&return_to=${encodeURIComponent(settings.url)}`,
  );
  const byHand = formsOf(confirm).at(-1);
  if (!byHand) throw new Error('no form');
  const returned = await browser.send(byHand, { password: 'ada-123' });
  expect(returned.url).toBe(settings.url);
  const passwordAgain = formsOf(returned)[1];
  if (!passwordAgain) throw new Error('no form');
  const saved = await browser.send(passwordAgain, { password: 'a-brand-new-one' });
  expect(saved.text).toContain('Your changes have been saved!');
});

test('a form changes the traits that it shows, and brings no others', async () => {
  const { ory, browser } = await start();
  await click(ory, browser, 0);
  const [profile] = formsOf(await browser.open(`${ory.url}/self-service/settings/browser`));
  if (!profile) throw new Error('no form');
  const evil = '<script>alert(1)</script>';
  const saved = await browser.send(profile, {
    'traits.name.first': evil,
    'traits.admin': 'true',
    'traits.__proto__.polluted': 'true',
    'traits.name.__proto__.polluted': 'true',
    'traits.constructor.prototype.polluted': 'true',
  });
  expect(saved.text).not.toContain(evil);
  const who = await fetch(`${ory.url}/sessions/whoami`, { headers: { cookie: browser.cookie } });
  expect(await who.json()).toMatchObject({
    identity: { traits: { email: 'ada@example.com', name: { first: evil, last: 'Lovelace' } } },
  });
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('a new address is not verified, whatever the old one was', async () => {
  const { ory, browser } = await start();
  await click(ory, browser, 0);
  const [profile] = formsOf(await browser.open(`${ory.url}/self-service/settings/browser`));
  if (!profile) throw new Error('no form');
  const addresses = async () => {
    const who = await fetch(`${ory.url}/sessions/whoami`, { headers: { cookie: browser.cookie } });
    return ((await who.json()) as { identity: { verifiable_addresses: unknown } }).identity.verifiable_addresses;
  };
  expect(await addresses()).toMatchObject([{ value: 'ada@example.com', verified: true }]);
  await browser.send(profile, { 'traits.email': 'augusta@example.com' });
  expect(await addresses()).toMatchObject([{ value: 'augusta@example.com', verified: false }]);
});

test('a program’s flow takes no cookie, so that no page can send it in somebody’s name', async () => {
  const { ory, browser } = await start();
  await click(ory, browser, 0);
  const flow = (await (
    await fetch(`${ory.url}/self-service/settings/api`, { headers: { cookie: browser.cookie } })
  ).json()) as { error: { id: string } };
  expect(flow.error.id).toBe('session_inactive');
});

test('the admin API answers to the names of this machine alone', async () => {
  const { ory } = await start();
  const { port } = new URL(ory.url);
  const { request } = await import('node:http');
  const status = (host: string) =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        { host: '127.0.0.1', port, path: '/admin/identities', headers: { host } },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      );
      outgoing.once('error', reject);
      outgoing.end();
    });
  expect(await status(`127.0.0.1:${port}`)).toBe(200);
  expect(await status(`localhost:${port}`)).toBe(200);
  for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1.evil.example']) {
    expect([host, await status(host)]).toEqual([host, 403]);
  }
});

test('the seeded people have the same ids on every start', async () => {
  const [one, two] = [await start(), await start()];
  expect(one.ory.users).toEqual(two.ory.users);
  expect(() => one.ory.totpCode({ id: '', name: '', email: 'x', password: '' })).toThrow('no second factor');
});
