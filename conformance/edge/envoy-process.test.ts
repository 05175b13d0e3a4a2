// Starting and ending a real Envoy: what it says when it cannot start, and that it leaves nothing behind.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { findEnvoy } from '../../src/edge/find.ts';
import { EnvoyStartError, type RunningEnvoy, type StartEnvoyOptions, startEnvoy } from '../../src/edge/run.ts';
import { generateEnvoy } from '../../src/generate/envoy/emit.ts';
import { until } from '../until.ts';
import { get, portOf } from './envoy-rig.ts';

const running: RunningEnvoy[] = [];
afterEach(async () => {
  for (const envoy of running.splice(0)) await envoy.stop();
});

function bootstrap(listen = '127.0.0.1:0', admin = '127.0.0.1:0'): string {
  const text = `ory: { url: http://127.0.0.1:1 }\nedge: { listen: "${listen}", admin: "${admin}", upstream: http://127.0.0.1:1, authorizer: http://127.0.0.1:1 }`;
  return generateEnvoy(parseConfig(text, 'x.yaml', { env: {} }), { part: 'bootstrap' });
}

async function start(options: Partial<StartEnvoyOptions> = {}): Promise<RunningEnvoy> {
  const { path } = await findEnvoy();
  const envoy = await startEnvoy({ path, config: bootstrap(), concurrency: 1, ...options });
  running.push(envoy);
  return envoy;
}

const failure = (options: Partial<StartEnvoyOptions>) =>
  start(options).then(
    () => Promise.reject(new Error('it started')),
    (error: unknown) => {
      if (!(error instanceof EnvoyStartError)) throw error;
      return error;
    },
  );

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const folders = () => readdirSync(tmpdir()).filter((name) => /^ory-envoy-run-/.test(name));

test('a started Envoy answers on the ports that it was given', async () => {
  const envoy = await start();
  expect(envoy.listeners).toEqual([{ name: 'edge', host: '127.0.0.1', port: envoy.listenPort }]);
  expect(envoy.listenPort).toBeGreaterThan(0);
  expect((await get(envoy.listenPort, '/')).status).toBe(503);
  expect(await (await fetch(`${envoy.adminUrl}/ready`)).text()).toBe('LIVE\n');
});

test.each([
  '/logging?level=debug',
  '/quitquitquit',
  '/drain_listeners',
  '/healthcheck/fail',
  '/runtime_modify?a=b',
  '/reset_counters',
])('its admin port changes nothing, whoever posts %s', async (path) => {
  const envoy = await start();
  const answer = await fetch(`${envoy.adminUrl}${path}`, { method: 'POST', headers: { origin: 'https://evil.test' } });
  expect([answer.status, (await fetch(`${envoy.adminUrl}/ready`)).status]).toEqual([403, 200]);
});

test('its folder is for this user alone, and is gone when it has stopped', async () => {
  const before = new Set(folders());
  const envoy = await start();
  const own = folders().filter((name) => !before.has(name));
  const commandLine = readFileSync(`/proc/${envoy.pid}/cmdline`, 'utf8');
  const folder = own.map((name) => join(tmpdir(), name)).find((path) => commandLine.includes(path)) ?? '';
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  await envoy.stop();
  expect(existsSync(folder)).toBe(false);
  expect(alive(envoy.pid)).toBe(false);
  expect(await envoy.exited).toEqual({ code: 0, signal: null });
});

test('stopping twice is stopping once', async () => {
  const envoy = await start();
  await Promise.all([envoy.stop(), envoy.stop()]);
  await envoy.stop();
  expect(alive(envoy.pid)).toBe(false);
});

test('one that does not end by itself is ended', async () => {
  const envoy = await start({ stopTimeoutMs: 200 });
  process.kill(envoy.pid, 'SIGSTOP');
  await envoy.stop();
  expect(await envoy.exited).toEqual({ code: null, signal: 'SIGKILL' });
});

test('a death is noticed', async () => {
  const envoy = await start();
  envoy.kill();
  expect(await envoy.exited).toEqual({ code: null, signal: 'SIGKILL' });
});

test('a port in use is said in one sentence with the address, and nothing is left running', async () => {
  const before = folders().length;
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  try {
    const error = await failure({ config: bootstrap(`127.0.0.1:${portOf(holder)}`) });
    expect(error.message).toBe(
      `Envoy cannot listen on 127.0.0.1:${portOf(holder)}: the address is in use; end what listens there or choose another`,
    );
    const admin = await failure({ config: bootstrap('127.0.0.1:0', `127.0.0.1:${portOf(holder)}`) });
    expect(admin.message).toBe(error.message);
  } finally {
    holder.close();
  }
  expect(folders().length).toBe(before);
});

test('a second Envoy does not get a share of the first one’s port', async () => {
  const first = await start();
  const error = await failure({ config: bootstrap(`127.0.0.1:${first.listenPort}`) });
  expect(error.message).toContain(`127.0.0.1:${first.listenPort}: the address is in use`);
});

test('a bootstrap that Envoy refuses is explained in Envoy’s words', async () => {
  const error = await failure({ config: 'static_resources: { listenrs: [] }' });
  expect(error.message).toMatch(/^Envoy did not start: .*listenrs/s);
  expect(error.log.length).toBeGreaterThan(0);
});

test('a program that is not there is said', async () => {
  const error = await failure({ path: '/nonexistent/envoy' });
  expect(error.message).toMatch(/^Envoy cannot be run: .*ENOENT/);
});

test('one that never answers is given up after the limit', async () => {
  const error = await failure({
    config: bootstrap().replace(/^admin:[\s\S]*?^static/m, 'static'),
    startTimeoutMs: 500,
  });
  expect(error.message).toBe('Envoy did not start: it did not answer within 500 ms');
});

test('it ends when the process that started it is killed', async () => {
  const { path } = await findEnvoy();
  const script = `
    const { startEnvoy } = await import(process.env.RUN);
    const envoy = await startEnvoy({ path: process.env.ENVOY, config: process.env.CONFIG, concurrency: 1 });
    console.log(envoy.pid);`;
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    env: {
      ...process.env,
      RUN: new URL('../../src/edge/run.ts', import.meta.url).href,
      ENVOY: path,
      CONFIG: bootstrap(),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(parent.stdout, 'data');
  const pid = Number(String(line));
  const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  const folder = dirname(commandLine[commandLine.indexOf('--config-path') + 1] ?? '');
  expect([alive(pid), existsSync(folder)]).toEqual([true, true]);
  parent.kill('SIGKILL');
  await until('the end of Envoy', () => !alive(pid) || readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '));
  await until('the end of its folder', () => !existsSync(folder));
});
