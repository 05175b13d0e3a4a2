// The time of day set back and forth under a running Envoy: no yes lives longer for it. Compiles a small C library.
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../until.ts';
import { replacing } from './bootstrap.ts';
import { type Rig, session, startRig, token, warm } from './rig.ts';

const HOUR_MS = 3_600_000;
const SOURCE = fileURLToPath(new URL('shifted-time.c', import.meta.url));
/** Without a compiler these are skipped, and said so: a skip is a failure in CI. */
const compiler = ['cc', 'gcc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0);

describe.skipIf(process.platform !== 'linux' || compiler === undefined)('with a clock that is set', () => {
  let dir: string;
  let file: number;
  let rig: Rig;
  const TTL_MS = 1_500;

  /** From what the time of day is. */
  function setClock(byMs: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(byMs) * 1_000_000n);
    writeSync(file, bytes, 0, 8, 0);
  }

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'ory-envoy-clock-'));
    const library = join(dir, 'shifted-time.so');
    const made = spawnSync(compiler ?? '', ['-shared', '-fPIC', '-O1', '-o', library, SOURCE], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(made.stderr);
    const path = join(dir, 'shift');
    file = openSync(path, 'w+');
    setClock(0);
    rig = await startRig({
      variants: [
        { name: 'edge' },
        { name: 'by-day', script: replacing('assert(ffi.os == "Linux"', 'assert(ffi.os == "none"') },
      ],
      change: { cache: { ttl: '10m', edge_ttl: `${TTL_MS}ms` } },
      env: { LD_PRELOAD: library, TIME_SHIFT_FILE: path },
    });
  });
  afterAll(async () => {
    await rig?.close();
    if (file !== undefined) closeSync(file);
    rmSync(dir, { recursive: true, force: true });
  });

  const isHit = async (value: string, variant: string) =>
    (await rig.during(() => rig.ask('/admin/x', token(value), { variant }), variant)).hits === 1;
  const onClock = () => new Date(String(rig.accessLog.at(-1)?.['start_time'])).getTime();

  it('Envoy’s time of day is the one that the test sets', async () => {
    setClock(-HOUR_MS);
    await rig.ask('/public/x');
    await until('it is in the log', () => rig.accessLog.length > 0 && onClock() < Date.now() - HOUR_MS + 60_000);
    setClock(0);
  });

  it.each([
    ['back', -HOUR_MS],
    ['back by less than a lifetime', -TTL_MS / 2],
    ['forward', HOUR_MS],
  ])('set %s, a yes lasts as long as it would have', async (_, byMs) => {
    const value = session(rig, 'ada');
    setClock(0);
    await rig.ask('/admin/x', token(value));
    const from = performance.now();
    await warm(rig, '/admin/x', token(value), 'edge');
    setClock(byMs);
    try {
      expect(await isHit(value, 'edge')).toBe(true);
      await until('its time is over', () => performance.now() - from > TTL_MS);
      expect(await isHit(value, 'edge')).toBe(false);
    } finally {
      setClock(0);
    }
  });

  it('without a clock that nobody sets, everything is forgotten when the time of day goes back', async () => {
    const value = session(rig, 'ada');
    const other = session(rig, 'bob');
    for (const one of [value, other]) await warm(rig, '/admin/x', token(one), 'by-day');
    setClock(-HOUR_MS);
    expect(await isHit(value, 'by-day')).toBe(false);
    expect(await isHit(other, 'by-day')).toBe(false);
    // And goes on by the new time.
    await warm(rig, '/admin/x', token(value), 'by-day');
    setClock(0);
    expect(await isHit(value, 'by-day')).toBe(false);
  });

  it('without a clock that nobody sets, a yes is over when the time of day goes forward', async () => {
    const value = session(rig, 'ada');
    setClock(0);
    await warm(rig, '/admin/x', token(value), 'by-day');
    setClock(HOUR_MS);
    expect(await isHit(value, 'by-day')).toBe(false);
    setClock(0);
    expect(await isHit(value, 'by-day')).toBe(false);
  });

  it.each([
    ['nobody asks meanwhile', false],
    ['others ask meanwhile', true],
  ])('what was on its way when the time of day went back lives no longer: %s', async (_, meanwhile) => {
    const value = session(rig, 'ada');
    setClock(HOUR_MS);
    const held: (() => void)[] = [];
    rig.ory.before = async (request) => {
      if (request.headers['x-session-token'] === value) await new Promise<void>((resolve) => held.push(resolve));
      return false;
    };
    try {
      const first = rig.ask('/admin/x', token(value), { variant: 'by-day' });
      await until('Kratos is asked', () => held.length === 1);
      setClock(0);
      if (meanwhile) await rig.ask('/admin/x', token('nobody'), { variant: 'by-day' });
      rig.ory.before = undefined;
      held[0]?.();
      expect(await first).toBe('200 ada /admin/x');
      expect(await isHit(value, 'by-day')).toBe(false);
    } finally {
      rig.ory.before = undefined;
    }
  });
});
