// `up` as a user runs it: from nothing to a refused and an allowed request, and nothing left behind.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { startDevOry } from '../../src/dev/ory.ts';
import { isFree } from '../ports.ts';
import { until } from '../until.ts';
import { startApp } from './rig/app.ts';
import { send } from './rig/client.ts';
import { descendantsOf, isGone, type UpRig, upFile, upRig } from './rig/up-process.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

let rig: UpRig;
beforeEach(() => {
  rig = upRig();
});
afterEach(() => rig.close());

describe('up without a file', () => {
  it('refuses a stranger, lets a session and a token of the development Ory in, and leaves nothing behind', async () => {
    const one = rig.up();
    await one.isUp();
    const banner = one.out();
    const url = /edge +(http:\S+)/.exec(banner)?.[1] ?? '';
    const refused = await send(url, 'HTTP/1.1', { path: '/' });
    expect([refused.status, refused.json()['reason']]).toEqual([401, 'credential_missing']);
    expect(refused.header('content-type')).toEqual(['application/problem+json']);

    // The commands that it prints, as they stand there.
    const script = banner
      .split('\n')
      .filter((line) => /^ {2}(FLOW|SESSION|TOKEN|curl)/.test(line))
      .join('\n');
    const { stdout } = await run('sh', ['-c', script.replaceAll('curl -i', 'curl -si -w "\\n#%{http_code}\\n"')]);
    expect([...stdout.matchAll(/^#(\d+)$/gm)].map(([, status]) => status)).toEqual(['401', '200', '200']);
    expect(stdout).toMatch(/"x-user-id": ?"[0-9a-f-]{36}"/i);
    expect(stdout).toMatch(/"x-user-id": ?"dev-client"/i);

    const opaque = await send(url, 'HTTP/1.1', {
      path: '/api/',
      headers: [['Authorization', await opaqueBearer(url)]],
    });
    expect([opaque.status, opaque.json()['identity']]).toEqual([200, { 'X-User-Id': 'opaque' }]);

    const browser = await send(url, 'HTTP/1.1', { path: '/page', headers: [['Accept', 'text/html']] });
    expect([browser.status, browser.header('location')[0]]).toEqual([
      302,
      expect.stringContaining(`return_to=${encodeURIComponent(`${url}/page`)}`),
    ]);

    const processes = descendantsOf(one.process.pid ?? 0);
    expect(processes.length).toBeGreaterThanOrEqual(4);
    one.process.kill('SIGINT');
    await one.ended();
    expect(one.code()).toBe(0);
    for (const port of [8080, 4455, 4456, 9191, 9193, 9901]) expect(await isFree(port), `port ${port}`).toBe(true);
    for (const pid of processes) expect(isGone(pid), `process ${pid}`).toBe(true);
    expect(rig.folders()).toEqual([]);
  });

  it('prints the file that it uses, and from that file the development parts are started too', async () => {
    const { stdout } = await run(process.execPath, [MAIN, 'up', '--print-config']);
    const { edge: printed, ...content } = parse(stdout);
    const file = await upFile(rig.dir, 'ory-envoy.yaml');
    file.write({ ...content, edge: { upstream: printed.upstream } });
    const one = rig.up();
    await one.isUp();
    const open = await send(file.url, 'HTTP/1.1', { path: '/public/x' });
    expect([open.status, open.json()['path']]).toEqual([200, '/public/x']);
    const page = await send(file.url, 'HTTP/1.1', { path: '/x', headers: [['Accept', 'text/html']] });
    expect(page.header('location')[0]).toMatch(/^http:\/\/127\.0\.0\.1:4455\/self-service\/login\/browser\?/);
    expect((await fetch('http://127.0.0.1:4455/health/ready')).status).toBe(200);
  });
});

describe('up with a file', () => {
  it('tells the development Ory and the demo application what changed, and nothing of a file that is refused', async () => {
    const { stdout } = await run(process.execPath, [MAIN, 'up', '--print-config']);
    const { edge: printed, rules, ...content } = parse(stdout);
    const file = await upFile(rig.dir);
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const write = (audience: string, rule: string, edge: object = {}) =>
      file.write({
        ...content,
        tokens: { audiences: [audience] },
        rules: [{ name: rule, match: { path: '/open/**' }, allow: 'anyone' }, ...rules],
        edge: { upstream: printed.upstream, ...edge },
      });
    const token = async (audience: string) =>
      (
        await fetch('http://127.0.0.1:4455/oauth2/token', {
          method: 'POST',
          headers: { authorization: `Basic ${btoa('dev-client:dev-secret')}` },
          body: new URLSearchParams({ grant_type: 'client_credentials', audience }),
        })
      ).status;
    const page = async () => (await fetch('http://127.0.0.1:4456/', { headers: { accept: 'text/html' } })).text();
    write('one', 'rule-one');
    const one = rig.up(['-c', file.file, '--json']);
    await one.isUp();
    expect([await token('one'), await token('two')]).toEqual([200, 400]);
    write('two', 'rule-two', { listen: `127.0.0.1:${(taken.address() as AddressInfo).port}` });
    await until('it is refused', () => one.events().some(({ event }) => event === 'refused'));
    expect([await token('one'), await token('two')]).toEqual([200, 400]);
    expect(await page()).toMatch('rule-one');
    taken.close();
    write('two', 'rule-two');
    await until('it is in force', () => one.events().some(({ event }) => event === 'applied'));
    expect([await token('one'), await token('two')]).toEqual([400, 200]);
    expect(await page()).toMatch('rule-two');
  });

  it('says which part does not answer, and works when the application comes', async () => {
    const app = await startApp('app');
    const file = await upFile(rig.dir);
    file.write({ edge: { upstream: app.url } });
    const one = rig.up(['-c', file.file]);
    await one.isUp();
    expect(one.err()).toMatch(/Ory Kratos does not answer at http:\/\/127\.0\.0\.1:9: start it, or correct/);
    expect(one.err()).not.toMatch(/the application .* does not answer/);
    const answer = await send(file.url, 'HTTP/1.1', { path: '/', headers: [['X-Session-Token', 'x']] });
    expect([answer.status, answer.json()['reason']]).toEqual([503, 'ory_unreachable']);
    await app.close();
  });

  it('says in one sentence that a port is in use, and leaves the other ports free', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const taken = (server.address() as AddressInfo).port;
    const file = await upFile(rig.dir);
    file.write({ edge: { listen: `127.0.0.1:${taken}` } });
    const one = rig.up(['-c', file.file]);
    await one.ended();
    server.close();
    expect(one.code()).toBe(1);
    expect(one.err()).toMatch(
      new RegExp(
        `the edge cannot listen on 127\\.0\\.0\\.1:${taken}: another program has this port\\. .*edge\\.listen`,
      ),
    );
    for (const port of file.ports) expect(await isFree(port), `port ${port}`).toBe(true);
  });

  it('says the same of the authorizer’s port', async () => {
    const file = await upFile(rig.dir);
    file.write({});
    const port = file.ports[2] ?? 0;
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const one = rig.up(['-c', file.file]);
    await one.ended();
    server.close();
    expect([one.code(), one.err()]).toEqual([
      1,
      expect.stringMatching(
        new RegExp(`^ory-envoy: the authorizer cannot listen on 127\\.0\\.0\\.1:${port}: .*serve\\.http.*\\.$`, 'm'),
      ),
    ]);
  });

  it('names the place of a fault in the file, with exit code 2, before it looks for an Envoy', async () => {
    writeFileSync(
      join(rig.dir, 'ory-envoy.yaml'),
      'ory:\n  url: https://acme.projects.oryapis.com\nedge:\n  upstrem: http://127.0.0.1:3000\n',
    );
    const one = rig.up([], { ENVOY_PATH: '/nonexistent' });
    await one.ended();
    expect(one.code()).toBe(2);
    expect(one.err()).toContain(
      'ory-envoy.yaml:4:3: edge.upstrem: the key "upstrem" is not known. Did you mean "upstream"?',
    );
    expect(one.err()).not.toContain('ENVOY_PATH');
  });

  it('says what to do where no Envoy can be had', async () => {
    const file = await upFile(rig.dir);
    file.write({});
    const one = rig.up(['-c', file.file], {
      PATH: '/nonexistent',
      ORY_ENVOY_CACHE: rig.dir,
      HOME: rig.dir,
      ENVOY_PATH: '',
    });
    await one.ended();
    expect(one.code()).toBe(1);
    expect(one.err()).toMatch(/ENVOY_PATH/);
    expect(one.err()).toMatch(/python3/);
  });

  it('ends with 0 on Ctrl-C at any time, from the first moment on', async () => {
    const file = await upFile(rig.dir);
    file.write({});
    for (const sign of ['authorizer runs', 'Envoy runs', 'The edge is up']) {
      const one = rig.up(['-c', file.file]);
      await until(sign, () => `${one.err()}${one.out()}`.includes(sign));
      one.process.kill('SIGINT');
      await one.ended();
      expect([sign, one.code()]).toEqual([sign, 0]);
      for (const port of file.ports) expect(await isFree(port), `port ${port} after "${sign}"`).toBe(true);
    }
    // Its very first line: Node itself listens to SIGINT, to SIGHUP it does not.
    const one = rig.up(['-c', file.file]);
    await until('it listens to signals', () => catches(one.process.pid ?? 0, 1));
    one.process.kill('SIGINT');
    await one.ended();
    expect(one.code()).toBe(0);
    expect(rig.folders()).toEqual([]);
  });
});

describe('up for programs and in part', () => {
  it('writes nothing but JSON with --json: the banner, what happens, and the parts’ own lines as objects', async () => {
    const app = await startApp('app');
    const file = await upFile(rig.dir);
    file.write({ edge: { upstream: app.url } });
    const one = rig.up(['-c', file.file, '--json']);
    await one.isUp();
    expect(JSON.parse(one.out())).toMatchObject({ event: 'up', edge: file.url, file: file.file });
    await send(file.url, 'HTTP/1.1', { path: '/secret?token=abc' });
    await until('the request is in the log', () => one.events().some((event) => event.event === 'request'));
    expect(one.events().find((event) => event.event === 'request')).toMatchObject({
      part: 'envoy',
      data: { method: 'GET', path: '/secret', status: 401, rule: 'default', reason: 'credential_missing' },
    });
    expect(one.events().filter((event) => event.event === 'started')).toHaveLength(2);
    one.process.kill('SIGTERM');
    await one.ended();
    await app.close();
  });

  it('says a fault as JSON with --json', async () => {
    writeFileSync(join(rig.dir, 'ory-envoy.yaml'), 'ory: {}\nedge: { upstrem: x }\n');
    const one = rig.up(['--json']);
    await one.ended();
    expect([one.code(), one.out()]).toEqual([2, '']);
    expect(one.events()).toMatchObject([
      { part: 'up', level: 'error', event: 'stopped', data: { faults: [{ line: 2 }] } },
    ]);
  });

  it('runs the authorizer alone with --only authorizer, without looking for an Envoy, and follows the file', async () => {
    const file = await upFile(rig.dir);
    file.write({});
    const one = rig.up(['-c', file.file, '--only', 'authorizer', '--json'], { ENVOY_PATH: '/nonexistent' });
    await one.isUp();
    const ask = async () => (await fetch(`http://127.0.0.1:${file.ports[2]}/x`)).status;
    expect(await ask()).toBe(401);
    file.write({ rules: [{ name: 'open', match: { path: '/**' }, allow: 'anyone' }] });
    await until('the new rule is in force', async () => (await ask()) === 200);
    expect(await isFree(file.ports[0] ?? 0)).toBe(true);
  });

  it('asks the servers of --with in place of the file’s, and takes Hydra’s issuer from Hydra', async () => {
    const issuer = 'https://issuer.test/';
    const ory = await startDevOry({ port: 0, issuer, audience: ['api'] });
    const app = await startApp('app');
    const file = await upFile(rig.dir);
    const rules = [
      { name: 'api', match: { path: '/api/**' }, require: { token: {} } },
      { name: 'web', match: { path: '/**' }, require: { session: {} }, unauthenticated: 'redirect' },
    ];
    file.write({
      ory: { url: 'http://127.0.0.1:9', login_url: 'http://127.0.0.1:9/login' },
      tokens: { audiences: ['api'] },
      rules,
      edge: { upstream: app.url },
    });
    const one = rig.up(['-c', file.file, '--with', `kratos=${ory.url},hydra=${ory.url}`]);
    await one.isUp();
    const token = await ory.sign(tokenClaims(issuer));
    const answer = await send(file.url, 'HTTP/1.1', {
      path: '/api/x',
      headers: [['Authorization', `Bearer ${token}`]],
    });
    expect([answer.status, answer.seen().header('x-user-id')]).toEqual([200, ['someone']]);
    const page = await send(file.url, 'HTTP/1.1', { path: '/x', headers: [['Accept', 'text/html']] });
    expect(page.header('location')[0]).toMatch(`${ory.url}/self-service/login/browser?`);

    // The login pages follow the file.
    const begins = async () =>
      (await fetch('http://127.0.0.1:4457/login', { redirect: 'manual' })).headers.get('location');
    expect(await begins()).toBe(`${ory.url}/self-service/login/browser`);
    const edge = { upstream: app.url, ory_path: '/.ory' };
    file.write({ ory: { url: 'http://127.0.0.1:9' }, tokens: { audiences: ['api'] }, rules, edge });
    await until(
      'the login begins at the edge',
      async () => (await begins()) === `${file.url}/.ory/self-service/login/browser`,
    );
    await app.close();
    await ory.close();
  });

  it.each([
    ['kratos=ftp://x', 2, 'is not an http or https address'],
    ['keto=http://127.0.0.1:1', 2, 'is none of kratos=URL, hydra=URL and hydra-admin=URL'],
    ['hydra=http://127.0.0.1:9', 1, 'does not answer'],
    ['hydra-admin=http://127.0.0.1:9', 2, 'hydra-admin is given without hydra'],
    ['hydra-admin=ftp://x', 2, 'Give Hydra’s admin address'],
  ])('says how to mend --with %s', async (value, code, words) => {
    const file = await upFile(rig.dir);
    file.write({});
    const one = rig.up(['-c', file.file, '--with', value], { ENVOY_PATH: '/nonexistent' });
    await one.ended();
    expect([one.code(), one.err()]).toEqual([code, expect.stringContaining(words)]);
    expect(one.err()).toContain('hydra=');
  });
});

/** Of a client of the development Ory that gets opaque tokens. */
async function opaqueBearer(audience: string): Promise<string> {
  const ory = 'http://127.0.0.1:4455';
  const client = { client_id: 'opaque', client_secret: 'secret', token_endpoint_auth_method: 'client_secret_post' };
  await fetch(`${ory}/admin/clients`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      ...client,
      grant_types: ['client_credentials'],
      audience: [audience],
      access_token_strategy: 'opaque',
    }),
  });
  const { client_id, client_secret } = client;
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret, audience });
  const answer = await (await fetch(`${ory}/oauth2/token`, { method: 'POST', body })).json();
  const { access_token: token } = answer as { access_token?: string };
  expect(token).toMatch(/^ory_at_/);
  return `Bearer ${token}`;
}

function tokenClaims(iss: string) {
  const now = Math.floor(Date.now() / 1_000);
  return {
    iss,
    sub: 'someone',
    client_id: 'c',
    aud: ['api'],
    iat: now,
    nbf: now,
    exp: now + 600,
    jti: 'j',
    scp: [],
    ext: {},
  };
}

/** Whether a process has a handler for a signal. */
function catches(pid: number, signal: number): boolean {
  try {
    const [, mask = '0'] = /SigCgt:\s+([0-9a-f]+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
  } catch {
    return false;
  }
}

function run(command: string, args: readonly string[]): Promise<{ stdout: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.on('data', (data: Buffer) => {
      stdout += data.toString();
    });
    child.on('close', () => resolve({ stdout }));
  });
}
