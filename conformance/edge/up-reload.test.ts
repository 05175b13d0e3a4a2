// A changed file under load: no request fails, the new rule is in force, a broken file changes nothing, and no request is
// ever let through by a mixture of two policies.

import { renameSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isFree } from '../ports.ts';
import { until } from '../until.ts';
import { type App, startApp } from './rig/app.ts';
import { type Protocol, send } from './rig/client.ts';
import { startLoad } from './rig/load.ts';
import { type UpFile, type UpProcess, type UpRig, upFile, upRig } from './rig/up-process.ts';

let rig: UpRig;
let file: UpFile;
let one: UpProcess;
let app: App;

const open = (name: string, path: string, upstream?: string) => ({
  name,
  match: { path },
  allow: 'anyone',
  ...(upstream ? { upstream } : {}),
});
const guarded = (name: string, path: string, upstream?: string) => ({
  name,
  match: { path },
  require: { session: {} },
  ...(upstream ? { upstream } : {}),
});

beforeEach(async () => {
  rig = upRig();
  app = await startApp('app');
  file = await upFile(rig.dir);
});
afterEach(async () => {
  await rig.close();
  await app.close();
});

const content = (rules: readonly object[], more: { edge?: object; [key: string]: unknown } = {}) => ({
  rules,
  ...more,
  edge: { upstream: app.url, ...more.edge },
});

async function begin(rules: readonly object[]): Promise<void> {
  file.write(content(rules));
  one = rig.up(['-c', file.file, '--json']);
  await one.isUp();
}

const count = (event: string) => one.events().filter((one) => one.event === event).length;

/** Writes the file, and waits for what is said of it: this, once, and nothing else. */
async function change(next: Parameters<UpFile['write']>[0], event: 'applied' | 'refused' = 'applied'): Promise<void> {
  const counts = () => ({ applied: count('applied'), refused: count('refused') });
  const before = counts();
  file.write(next);
  const answered = () => count('applied') + count('refused') > before.applied + before.refused;
  await until('the file is answered', answered, 40_000);
  expect(counts(), one.err()).toEqual({ ...before, [event]: before[event] + 1 });
}

const status = async (path: string) => (await send(file.url, 'HTTP/1.1', { path })).status;
const stats = async () => (await fetch(`${file.adminUrl}/stats?filter=version_text|update_rejected`)).text();

describe.each<Protocol>(['HTTP/1.1', 'HTTP/2'])('under load over %s', (protocol) => {
  it('a changed rule is in force for open connections, and no request fails', async () => {
    await begin([open('all', '/**')]);
    const load = startLoad(file.url, protocol, 8, ['/a']);
    for (let i = 0; i < 5; i++) {
      await change(content([guarded('all', '/**')]));
      expect(await status('/a')).toBe(401);
      await change(content([open('all', '/**')]));
      expect(await status('/a')).toBe(200);
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    expect([...load.statuses.keys()].sort()).toEqual([200, 401]);
    // Nobody had to connect again.
    expect(load.connections()).toBe(8);
  });

  it('a changed listener takes over, old connections are asked to close, and no request fails', async () => {
    await begin([open('all', '/**')]);
    const load = startLoad(file.url, protocol, 8, ['/a']);
    for (const header of ['X-Member', 'X-Other'])
      await change(content([open('all', '/**')], { identity_headers: { [header]: ['session.identity.id'] } }));
    const seen = (
      await send(file.url, 'HTTP/1.1', {
        headers: [
          ['X-Other', 'forged'],
          ['X-Member', 'kept'],
        ],
      })
    ).seen();
    expect([seen.header('x-other'), seen.header('x-member')]).toEqual([[], ['kept']]);
    await load.stop();
    expect(load.failures).toEqual([]);
    expect([...load.statuses.keys()]).toEqual([200]);
    expect(load.connections()).toBeGreaterThanOrEqual(16);
  });
});

describe('a changed file', () => {
  it('that is broken is said with line and column; the old rules stay and Envoy is not touched', async () => {
    await begin([open('all', '/**')]);
    const before = await stats();
    const text = file.write(content([{ ...open('all', '/**'), alow: 'x' }]));
    await until('the fault is said', () => count('refused') === 1);
    const line = text.split('\n').findIndex((one) => one.includes('alow')) + 1;
    const column = (text.split('\n')[line - 1] ?? '').indexOf('"alow"') + 1;
    expect(one.events().find((event) => event.event === 'refused')).toMatchObject({
      level: 'error',
      message: expect.stringMatching(
        `^${file.file}:${line}:${column}: rules\\[0\\]\\.alow: .*\nThe old rules stay\\.$`,
      ),
      data: { faults: [{ line, column }] },
    });
    expect(await status('/a')).toBe(200);
    expect(await stats()).toBe(before);
    await change(content([guarded('all', '/**')]));
    expect(await status('/a')).toBe(401);
  });

  it('that Envoy refuses is said in Envoy’s words, before it gets to the one that runs', async () => {
    await begin([open('all', '/**')]);
    const before = await stats();
    await change(
      content([guarded('all', '/**')], { edge: { tls: { cert: '/nonexistent', key: '/nonexistent' } } }),
      'refused',
    );
    expect(one.err()).toMatch(/\/nonexistent/);
    expect(await status('/a')).toBe(200);
    expect(await stats()).toBe(before);
  });

  it('moves the edge to another address, and gives the old one up', async () => {
    await begin([open('all', '/**')]);
    const next = await upFile(rig.dir, 'unused.yaml');
    await change(content([open('all', '/**')], { edge: { listen: next.url.slice('http://'.length) } }));
    expect((await send(next.url, 'HTTP/1.1', { path: '/a' })).status).toBe(200);
    await until('the old one is free', () => isFree(file.ports[0] ?? 0));
  });

  it('that moves the edge to a taken address is refused', async () => {
    await begin([open('all', '/**')]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await change(content([guarded('all', '/**')], { edge: { listen: `127.0.0.1:${port}` } }), 'refused');
    server.close();
    expect(one.err()).toMatch(`the edge cannot listen on 127.0.0.1:${port}: another program has this port`);
    expect(await status('/a')).toBe(200);
  });

  it('with an address that belongs to a process is refused as a whole, and says what to do', async () => {
    await begin([open('all', '/**')]);
    await change(content([guarded('all', '/**')], { edge: { admin: '127.0.0.1:1' } }), 'refused');
    expect(one.err()).toMatch(
      /edge\.admin from \S+ to 127\.0\.0\.1:1: such an address changes when up is started anew/,
    );
    expect(await status('/a')).toBe(200);
  });

  it('that is deleted is said, and comes back', async () => {
    await begin([open('all', '/**')]);
    renameSync(file.file, `${file.file}.away`);
    await until('it is said', () => count('gone') === 1);
    expect(await status('/a')).toBe(200);
    file.write(content([guarded('all', '/**')]));
    await until('the new rule is in force', async () => (await status('/a')) === 401);
  });

  it('leaves a long answer that is under way alone, also where its upstream goes', async () => {
    let end = () => {};
    const slow = createHttpServer((_, response) => {
      response.write('begun ');
      end = () => response.end('and done');
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    const { port } = slow.address() as AddressInfo;
    await begin([open('all', '/**')]);
    await change(content([open('all', '/**')], { edge: { upstream: `http://127.0.0.1:${port}` } }));
    const answer = await fetch(`${file.url}/slow`);
    await change(content([guarded('all', '/**')]));
    end();
    expect(await answer.text()).toBe('begun and done');
    slow.close();
  });
});

it('no request without a session reaches a guarded upstream, however often guarded and open change places', async () => {
  const guardedApp = await startApp('guarded');
  const upstreams = { edge: { upstream: undefined, upstreams: { open: app.url, guarded: guardedApp.url } } };
  // The names stay and the addresses change places, and then the rules do.
  const policies = [
    content([open('x', '/x', 'open'), guarded('y', '/y', 'guarded')], upstreams),
    content([guarded('x', '/x', 'guarded'), open('y', '/y', 'open')], upstreams),
    content([guarded('x', '/x', 'open'), open('y', '/y', 'guarded')], {
      edge: { upstream: undefined, upstreams: { open: guardedApp.url, guarded: app.url } },
    }),
  ];
  file.write(policies[0] ?? {});
  one = rig.up(['-c', file.file, '--json']);
  await one.isUp();
  const load = startLoad(file.url, 'HTTP/1.1', 6, ['/x', '/y']);
  for (let i = 1; i <= 200; i++) {
    const applied = count('applied');
    file.write(policies[i % policies.length] ?? {});
    await until(`change ${i} is in force`, () => count('applied') > applied);
  }
  await load.stop();
  expect(load.failures).toEqual([]);
  expect([...load.statuses.keys()].sort()).toEqual([200, 401]);
  expect(app.count()).toBeGreaterThan(100);
  expect(guardedApp.count()).toBe(0);
  process.stdout.write(`200 changes under ${[...load.statuses.values()].reduce((a, b) => a + b)} requests\n`);
  await guardedApp.close();
}, 300_000);
