// `revoke` against an admin port: what it sends, what it says, and that it says nothing else.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type AdminListener, listenAdmin } from '../admin/admin.ts';
import type { Revocation } from '../check/identity/cache/revocations.ts';
import { RecordingLog } from '../check/testing/recording-log.ts';
import type { Revoked } from '../server/edge-caches.ts';
import { PushError } from '../server/edge-caches.ts';
import { listen } from '../server/listen.ts';
import { type RevokeOptions, revoke } from './revoke.ts';

const TOKEN = 'canary-admin-token-0123456789';
const SESSION = '8d7c1a52-0b0f-4f6e-9a57-1f2f6f0f0c11';

let dir: string;
let said: string;
let revoked: Revocation[];
let answer: () => Promise<Revoked>;
const open: { close(): unknown }[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ory-envoy-revoke-'));
  said = '';
  revoked = [];
  answer = async () => ({ edgeCaches: 'none', rememberedForMs: 30_000 });
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    said += chunk;
    return true;
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
  for (const one of open.splice(0)) await one.close();
});

async function startAdmin(host = '127.0.0.1'): Promise<AdminListener> {
  const listener = await listenAdmin(
    { host, port: 0 },
    {
      ready: () => true,
      revoke: {
        token: () => TOKEN,
        revoke: (one) => {
          revoked.push(one);
          return answer();
        },
        log: new RecordingLog(),
      },
    },
  );
  open.push(listener);
  return listener;
}

function file(serve: string): string {
  const path = join(dir, 'ory-envoy.yaml');
  writeFileSync(
    path,
    `ory: { url: "https://a.example" }\nedge: { upstream: "http://127.0.0.1:1" }\nserve: { ${serve} }\n`,
  );
  return path;
}

/** Against an admin port with the token of the file. */
async function run(options: Omit<RevokeOptions, 'config'>, token = TOKEN): Promise<void> {
  const { address } = await startAdmin();
  await revoke({ config: file(`admin: "127.0.0.1:${address.port}", admin_token: "${token}"`), ...options });
}

/** What it throws, as its user sees it. */
async function fault(doing: Promise<void>): Promise<[exitCode: number, message: string]> {
  const error = await doing.then(
    () => undefined,
    (one: unknown) => one as { exitCode: number; message: string },
  );
  expect(error?.message).not.toContain('canary');
  return [error?.exitCode ?? 0, error?.message ?? ''];
}

describe('what it sends', () => {
  test.each<[Omit<RevokeOptions, 'config'>, Revocation]>([
    [{ session: SESSION }, { kind: 'session', id: SESSION }],
    [{ identity: 'Zoë "the" client' }, { kind: 'identity', id: 'Zoë "the" client' }],
    [{ all: true }, { kind: 'all' }],
  ])('%j', async (options, revocation) => {
    await run(options);
    expect(revoked).toEqual([revocation]);
  });

  test.each(['0.0.0.0', '[::]', '[::1]'])('also where the admin port is on %s', async (host) => {
    const { address } = await startAdmin(host.replaceAll(/[[\]]/g, ''));
    await revoke({ config: file(`admin: "${host}:${address.port}", admin_token: "${TOKEN}"`), all: true });
    expect(revoked).toEqual([{ kind: 'all' }]);
  });

  test('goes through no proxy of the environment', async () => {
    vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:1');
    vi.stubEnv('NODE_USE_ENV_PROXY', '1');
    await run({ all: true });
    expect(revoked.length).toBe(1);
  });
});

describe('what it says', () => {
  test('for how long an Envoy may remember', async () => {
    await run({ session: SESSION });
    expect(said).toBe(
      `Forgotten: session ${SESSION}. Ory is asked again.\nThis authorizer feeds no Envoy: one may go by what it remembers for 30s more (cache.edge_ttl).\n`,
    );
  });

  test('that none does', async () => {
    answer = async () => ({ edgeCaches: 'none', rememberedForMs: 0 });
    await run({ all: true });
    expect(said).toContain('Envoy remembers nothing (cache.edge_ttl is 0s).');
    answer = async () => ({ edgeCaches: 'emptied', rememberedForMs: 0 });
    await run({ all: true });
    expect(said).toContain('Envoy remembers nothing of before.');
  });

  test('for programs', async () => {
    await run({ all: true, json: true });
    expect(JSON.parse(said)).toEqual({ status: 'ok', edge_caches: 'none', remembered_for_ms: 30_000 });
  });
});

describe('where it is not done', () => {
  test.each<[string, Omit<RevokeOptions, 'config'>]>([
    ['takes exactly one of', {}],
    ['takes exactly one of', { session: SESSION, all: true }],
    ['takes exactly one of', { session: SESSION, identity: 'a' }],
    ['not its token or cookie', { session: 'ory_st_canary' }],
    ['not its token or cookie', { session: '' }],
    ['not an id', { identity: ' ' }],
  ])('usage is 2: %s %j', async (words, options) => {
    expect(await fault(run(options))).toEqual([2, expect.stringContaining(words)]);
    expect(revoked).toEqual([]);
  });

  test('a file without a token is 2, with the way to one', async () => {
    const [code, message] = await fault(revoke({ config: file(''), all: true }));
    expect([code, message]).toEqual([2, expect.stringMatching(/serve\.admin_token is not set.*openssl rand -hex 32/)]);
  });

  test('a port that is not known is 2', async () => {
    const config = file(`admin: "127.0.0.1:0", admin_token: "${TOKEN}"`);
    expect(await fault(revoke({ config, all: true }))).toEqual([2, expect.stringContaining('names no port')]);
  });

  test('another token than the authorizer’s is 1', async () => {
    expect(await fault(run({ all: true }, 'another-admin-token-0'))).toEqual([
      1,
      expect.stringContaining('was started with another serve.admin_token'),
    ]);
  });

  test('a push that failed is 1', async () => {
    answer = () => Promise.reject(new PushError('Envoy refused it'));
    expect(await fault(run({ all: true, json: true }))).toEqual([1, expect.stringContaining('Envoy refused it')]);
    expect(JSON.parse(said)).toMatchObject({ status: 'failed', problem: expect.stringContaining('Envoy refused it') });
  });

  test('nobody there is 1', async () => {
    const { address, close } = await startAdmin();
    await close();
    const config = file(`admin: "127.0.0.1:${address.port}", admin_token: "${TOKEN}"`);
    expect(await fault(revoke({ config, all: true }))).toEqual([
      1,
      expect.stringMatching(/does not answer at 127\.0\.0\.1:\d+ \(ECONNREFUSED\)/),
    ]);
  });

  test.each([
    ['200 and a page', 200, '<html>\u001b[31m'],
    ['200 and another object', 200, '{"status":"fine"}'],
    ['404', 404, 'null'],
    ['a redirect', 302, '{"status":"ok"}'],
  ])('another program on that port is 1: %s', async (_, status, body) => {
    const server = createServer((__, response) => {
      response.writeHead(status, { location: 'http://127.0.0.1:1/' });
      response.end(body);
    });
    const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
    open.push({ close: () => server.closeAllConnections() }, server);
    const config = file(`admin: "127.0.0.1:${port}", admin_token: "${TOKEN}"`);
    expect(await fault(revoke({ config, all: true }))).toEqual([1, expect.stringContaining(`answers ${status}`)]);
    expect(said).toBe('');
  });
});
