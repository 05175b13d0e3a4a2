// `up` as a user runs it: from nothing to a refused and an allowed request, and nothing left behind.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePorts } from '../ports.ts';
import { until } from '../until.ts';
import { startApp } from './rig/app.ts';
import { send } from './rig/client.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

interface Up {
  readonly process: ChildProcess;
  out(): string;
  err(): string;
  /** Undefined while it runs. */
  code(): number | null | undefined;
}

let dir: string;
const running: Up[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ory-envoy-up-'));
});

afterEach(async () => {
  for (const up of running.splice(0)) {
    if (up.code() === undefined) up.process.kill('SIGTERM');
    await until('up has ended', () => up.code() !== undefined);
  }
  rmSync(dir, { recursive: true, force: true });
});

function up(args: readonly string[] = []): Up {
  const child = spawn(process.execPath, [MAIN, 'up', ...args], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  let code: number | null | undefined;
  child.stdout.on('data', (data: Buffer) => {
    out += data.toString();
  });
  child.stderr.on('data', (data: Buffer) => {
    err += data.toString();
  });
  child.on('exit', (exit) => {
    code = exit;
  });
  const started: Up = { process: child, out: () => out, err: () => err, code: () => code };
  running.push(started);
  return started;
}

const isUp = (one: Up) =>
  until(
    'the edge is up',
    () => {
      if (one.code() !== undefined) throw new Error(`up ended with ${one.code()}: ${one.err()}`);
      return one.out().includes('The edge is up');
    },
    120_000,
  );

/** The process ids of Envoy that belong to `up`. */
async function childrenOf(pid: number): Promise<string[]> {
  const { readFileSync } = await import('node:fs');
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

async function configured(
  change: { upstream?: string; listen?: number } = {},
): Promise<{ file: string; ports: number[]; url: string }> {
  const [listen = 0, ...rest] = await freePorts(5);
  const ports = [change.listen ?? listen, ...rest];
  const file = join(dir, 'edge.yaml');
  const config = {
    ory: { url: 'http://127.0.0.1:9' },
    edge: {
      listen: `127.0.0.1:${ports[0]}`,
      admin: `127.0.0.1:${ports[1]}`,
      upstream: change.upstream ?? 'http://127.0.0.1:9',
    },
    serve: { http: `127.0.0.1:${ports[2]}`, grpc: `127.0.0.1:${ports[3]}`, admin: `127.0.0.1:${ports[4]}` },
  };
  writeFileSync(file, JSON.stringify(config));
  return {
    file,
    ports: [ports[0] ?? 0, ports[1] ?? 0, ports[2] ?? 0, ports[4] ?? 0],
    url: `http://127.0.0.1:${ports[0]}`,
  };
}

describe('up without a file', () => {
  it('refuses a stranger, lets a session and a token of the development Ory in, and leaves nothing behind', async () => {
    const one = up();
    await isUp(one);
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

    const browser = await send(url, 'HTTP/1.1', { path: '/page', headers: [['Accept', 'text/html']] });
    expect([browser.status, browser.header('location')[0]]).toEqual([
      302,
      expect.stringContaining(`return_to=${encodeURIComponent(`${url}/page`)}`),
    ]);

    const envoys = await childrenOf(one.process.pid ?? 0);
    expect(envoys.length).toBeGreaterThan(0);
    one.process.kill('SIGINT');
    await until('up has ended', () => one.code() !== undefined);
    expect(one.code()).toBe(0);
    for (const port of [8080, 4455, 9191, 9193, 9901]) expect(await isFree(port), `port ${port}`).toBe(true);
    for (const pid of envoys) expect(() => process.kill(Number(pid), 0)).toThrow();
  });
});

describe('up with a file', () => {
  it('says which part does not answer, and works when the application comes', async () => {
    const app = await startApp('app');
    const { file, url } = await configured({ upstream: app.url });
    const one = up(['-c', file]);
    await isUp(one);
    expect(one.err()).toMatch(/Ory Kratos does not answer at http:\/\/127\.0\.0\.1:9: start it, or correct/);
    expect(one.err()).not.toMatch(/the application .* does not answer/);
    const answer = await send(url, 'HTTP/1.1', { path: '/', headers: [['X-Session-Token', 'x']] });
    expect([answer.status, answer.json()['reason']]).toEqual([503, 'ory_unreachable']);
    await app.close();
  });

  it('ends with everything when Envoy dies', async () => {
    const { file, ports } = await configured();
    const one = up(['-c', file]);
    await isUp(one);
    for (const pid of await childrenOf(one.process.pid ?? 0)) process.kill(Number(pid), 'SIGKILL');
    await until('up has ended', () => one.code() !== undefined);
    expect(one.code()).toBe(1);
    expect(one.err()).toMatch(/Envoy ended by itself \(SIGKILL\)/);
    for (const port of ports) expect(await isFree(port), `port ${port}`).toBe(true);
  });

  it('takes Envoy with it when it is killed itself', async () => {
    const { file, ports } = await configured();
    const one = up(['-c', file]);
    await isUp(one);
    const children = await childrenOf(one.process.pid ?? 0);
    one.process.kill('SIGKILL');
    const isGone = (pid: string) => {
      try {
        process.kill(Number(pid), 0);
        return false;
      } catch {
        return true;
      }
    };
    await until('its children are gone', () => children.every(isGone));
    for (const port of ports) expect(await isFree(port), `port ${port}`).toBe(true);
  });

  it('says in one sentence that a port is in use, and leaves the other ports free', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const taken = (server.address() as AddressInfo).port;
    const { file, ports } = await configured({ listen: taken });
    const one = up(['-c', file]);
    await until('up has ended', () => one.code() !== undefined, 60_000);
    server.close();
    expect(one.code()).toBe(1);
    expect(one.err()).toMatch(
      new RegExp(
        `the edge cannot listen on 127\\.0\\.0\\.1:${taken}: another program has this port\\. .*edge\\.listen`,
      ),
    );
    for (const port of ports.slice(1)) expect(await isFree(port), `port ${port}`).toBe(true);
  });

  it('names the place of a fault in the file, with exit code 2', async () => {
    writeFileSync(
      join(dir, 'ory-envoy.yaml'),
      'ory:\n  url: https://acme.projects.oryapis.com\nedge:\n  upstrem: http://127.0.0.1:3000\n',
    );
    const one = up();
    await until('up has ended', () => one.code() !== undefined);
    expect(one.code()).toBe(2);
    expect(one.err()).toContain(
      'ory-envoy.yaml:4:3: edge.upstrem: the key "upstrem" is not known. Did you mean "upstream"?',
    );
  });

  it('says what to do where no Envoy can be had', async () => {
    const { file } = await configured();
    const child = spawn(process.execPath, [MAIN, 'up', '-c', file], {
      cwd: dir,
      env: { PATH: '/nonexistent', ORY_ENVOY_CACHE: dir, HOME: dir },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let err = '';
    child.stderr.on('data', (data: Buffer) => {
      err += data.toString();
    });
    const code = await new Promise((resolve) => child.on('exit', resolve));
    expect(code).toBe(1);
    expect(err).toMatch(/ENVOY_PATH/);
    expect(err).toMatch(/python3/);
  });
});

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
