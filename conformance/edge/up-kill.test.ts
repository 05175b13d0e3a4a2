// The kill matrix: every part of `up` killed by SIGKILL comes back, `up` itself killed takes all of them with it, and in
// the end no process, port or folder is left.
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DEVELOPMENT_POLICY } from '../../src/cli/up/development.ts';
import { isFree } from '../ports.ts';
import { until } from '../until.ts';
import { type Answer, send } from './rig/client.ts';
import { descendantsOf, isGone, type UpFile, type UpProcess, type UpRig, upFile, upRig } from './rig/up-process.ts';

const PARTS = ['envoy', 'authorizer', 'ory', 'app'] as const;
const DEVELOPMENT_PORTS = [4455, 4456];

let rig: UpRig;
let file: UpFile;
let one: UpProcess;
let tokens = 0;

beforeEach(async () => {
  rig = upRig();
  file = await upFile(rig.dir);
  const { edge, ...content } = parse(DEVELOPMENT_POLICY);
  file.write({ ...content, edge: { upstream: edge.upstream } });
  one = rig.up(['-c', file.file, '--json']);
  await one.isUp();
});

afterEach(() => rig.close());

/** One request through Envoy, the authorizer, Ory and the application: refused for its session by Kratos's own word. */
async function works(): Promise<boolean> {
  const ask = (path: string, token?: string): Promise<Answer | undefined> =>
    send(file.url, 'HTTP/1.1', { path, headers: token === undefined ? [] : [['X-Session-Token', token]] }).catch(
      () => undefined,
    );
  const open = await ask('/public/x');
  // Another token each time: a refusal is remembered.
  const refused = await ask('/x', `t${++tokens}`);
  return open?.status === 200 && refused?.status === 401 && refused.json()['reason'] === 'session_invalid';
}

async function kill(part: string): Promise<void> {
  const pid = one.pidOf(part);
  process.kill(pid, 'SIGKILL');
  await until(`${part} is a new process`, () => one.pidOf(part) !== pid);
}

const endsOf = (part: string) => one.events().filter((event) => event.event === 'ended' && event.data?.['of'] === part);

async function nothingIsLeft(processes: readonly number[]): Promise<void> {
  await until('its processes are gone', () => processes.every(isGone));
  for (const port of [...file.ports, ...DEVELOPMENT_PORTS]) expect(await isFree(port), `port ${port}`).toBe(true);
  await until('its folders are gone', () => rig.folders().length === 0);
}

describe.each(PARTS)('%s, killed,', (part) => {
  it('is started again with a clear line, the others go on, and requests work again', async () => {
    await until('requests work', works);
    const others = PARTS.filter((name) => name !== part).map((name) => [name, one.pidOf(name)]);
    await kill(part);
    await until('requests work again', works);
    expect(endsOf(part)).toMatchObject([
      {
        part: 'up',
        level: 'warn',
        message: expect.stringMatching(/ended by itself \(SIGKILL\): it is started again in 100 ms$/),
      },
    ]);
    expect(PARTS.filter((name) => name !== part).map((name) => [name, one.pidOf(name)])).toEqual(others);
    const processes = descendantsOf(one.process.pid ?? 0);
    one.process.kill('SIGINT');
    await one.ended();
    expect(one.code()).toBe(0);
    await nothingIsLeft(processes);
  });

  it('again and again, is started later and later', async () => {
    for (let i = 0; i < 4; i++) await kill(part);
    expect(endsOf(part).map((event) => event.data?.['nextMs'])).toEqual([100, 200, 400, 800]);
    await until('requests work again', works);
  });
});

describe('up itself', () => {
  it('killed, leaves no process, no port and no folder', async () => {
    const processes = descendantsOf(one.process.pid ?? 0);
    expect(processes.length).toBeGreaterThanOrEqual(PARTS.length);
    one.process.kill('SIGKILL');
    await nothingIsLeft(processes);
  });

  it('killed while a part is being started again, neither', async () => {
    process.kill(one.pidOf('authorizer'), 'SIGKILL');
    process.kill(one.pidOf('envoy'), 'SIGKILL');
    await until('both are noticed', () => endsOf('envoy').length + endsOf('authorizer').length === 2);
    const processes = descendantsOf(one.process.pid ?? 0);
    one.process.kill('SIGKILL');
    await nothingIsLeft(processes);
  });

  it.each(['SIGTERM', 'SIGHUP'] as const)('ends everything on %s, with code 0', async (signal) => {
    const processes = descendantsOf(one.process.pid ?? 0);
    one.process.kill(signal);
    await one.ended();
    expect(one.code()).toBe(0);
    await nothingIsLeft(processes);
  });
});

it('a part whose port was taken meanwhile is tried on, saying why, and comes back when the port is free', async () => {
  const [, , port = 0] = file.ports;
  const thief = createServer();
  const steal = () =>
    new Promise<boolean>((resolve) => {
      thief.once('error', () => resolve(false));
      thief.listen(port, '127.0.0.1', () => resolve(true));
    });
  process.kill(one.pidOf('authorizer'), 'SIGKILL');
  await until('the port is stolen', steal);
  expect((thief.address() as AddressInfo).port).toBe(port);
  await until('it says so', () =>
    one
      .events()
      .some(
        (event) => event.event === 'failed' && /cannot listen on .*: another program has this port/.test(event.message),
      ),
  );
  const refused = await send(file.url, 'HTTP/1.1', { path: '/x' });
  expect([refused.status, refused.json()['reason']]).toEqual([503, 'authorizer_unreachable']);
  thief.close();
  await until('requests work again', works);
});

/** The development policy with one rule of its own: this path is open, and nothing else is. */
function writeOpen(path: string, listen?: string): void {
  const { edge, ...content } = parse(DEVELOPMENT_POLICY);
  file.write({
    ...content,
    rules: [{ name: 'open', match: { path }, allow: 'anyone' }],
    edge: { upstream: edge.upstream, ...(listen === undefined ? {} : { listen }) },
  });
}

const count = (event: string) => one.events().filter((one) => one.event === event).length;
const status = async (path: string, url = file.url) =>
  (await send(url, 'HTTP/1.1', { path }).catch(() => undefined))?.status;

it('a policy that came while Envoy was away is the one that it comes back with', async () => {
  process.kill(one.pidOf('envoy'), 'SIGKILL');
  writeOpen('/a');
  await until('the new rule is in force', async () => (await status('/a')) === 200);
});

it('of two policies that came while Envoy was away, the second while it was given the first, the second is in force', async () => {
  process.kill(one.pidOf('envoy'), 'SIGKILL');
  await until('its end is noticed', () => endsOf('envoy').length === 1);
  writeOpen('/a');
  await until('the first is known', () => count('applied') === 1);
  await until('it runs', async () => (await fetch(`${file.adminUrl}/ready`).catch(() => undefined))?.status === 200);
  writeOpen('/b');
  await until('the second is known', () => count('applied') === 2);
  await until('the second is in force', async () => (await status('/b')) === 200);
  expect(await status('/a')).toBe(403);
});

it('a policy that moves the edge to a taken port while Envoy is away is refused, and taken once the port is free', async () => {
  const thief = createServer();
  await new Promise<void>((resolve) => thief.listen(0, '127.0.0.1', resolve));
  const { port } = thief.address() as AddressInfo;
  process.kill(one.pidOf('envoy'), 'SIGKILL');
  await until('its end is noticed', () => endsOf('envoy').length === 1);
  writeOpen('/a', `127.0.0.1:${port}`);
  await until('it is answered', () => count('refused') === 1);
  expect(one.err()).toMatch(`the edge cannot listen on 127.0.0.1:${port}: another program has this port`);
  await until('the old rules work again', works);
  await new Promise((resolve) => thief.close(resolve));
  writeOpen('/b', `127.0.0.1:${port}`);
  await until('the new rule is in force', async () => (await status('/b', `http://127.0.0.1:${port}`)) === 200);
  const processes = descendantsOf(one.process.pid ?? 0);
  one.process.kill('SIGTERM');
  await one.ended();
  await nothingIsLeft(processes);
});
