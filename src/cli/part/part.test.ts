import { describe, expect, test } from 'vitest';
import type { Exit } from '../../edge/process.ts';
import { Backoff } from './backoff.ts';
import { Part } from './part.ts';
import type { Running } from './running.ts';

describe('the wait before a restart', () => {
  test('doubles from 100 ms to 5 s', () => {
    const backoff = new Backoff();
    expect(Array.from({ length: 8 }, () => backoff.next(0))).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  });

  test('begins anew after the part ran well, and not after a moment', () => {
    const backoff = new Backoff();
    for (let i = 0; i < 4; i++) backoff.next(0);
    expect(backoff.next(9_999)).toBe(1_600);
    expect([backoff.next(10_000), backoff.next(0)]).toEqual([100, 200]);
  });
});

class Fake implements Running {
  readonly exited: Promise<Exit>;
  readonly pid: number;
  stopped = 0;
  end: (exit: Exit) => void = () => {};

  constructor(pid: number) {
    this.pid = pid;
    this.exited = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  async stop(): Promise<void> {
    this.stopped++;
    this.end({ code: 0, signal: null });
  }
}

/** A part whose starts and waits are the test's. */
function rig() {
  const said: string[] = [];
  const starts: (() => Promise<Fake>)[] = [];
  const waits: (() => void)[] = [];
  const clock = { now: 0 };
  const part = new Part<Fake>({
    start: () => (starts.shift() ?? (() => Promise.reject(new Error('unexpected start'))))(),
    clock: () => clock.now,
    wait: (ms, signal) => {
      said.push(`wait ${ms}`);
      return new Promise((resolve) => {
        waits.push(resolve);
        signal.addEventListener('abort', () => resolve());
      });
    },
    events: {
      started: (pid, again) => said.push(`${again ? 'again' : 'started'} ${pid}`),
      ended: (exit, ms) => said.push(`ended ${exit.signal} ${ms}`),
      failed: (why, ms) => said.push(`failed ${why} ${ms}`),
    },
  });
  return { part, said, starts, waits, clock };
}
const KILLED: Exit = { code: null, signal: 'SIGKILL' };
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a part', () => {
  test('that ends is started again after the wait, and whoever waits for it gets the new one', async () => {
    const { part, said, starts, waits } = rig();
    const [first, second] = [new Fake(1), new Fake(2)];
    starts.push(
      async () => first,
      async () => second,
    );
    await part.start();
    first.end(KILLED);
    await turn();
    expect(part.running).toBeUndefined();
    const waiting = part.whenRunning();
    waits[0]?.();
    expect(await waiting).toBe(second);
    expect(said).toEqual(['started 1', 'ended SIGKILL 100', 'wait 100', 'again 2']);
    await part.stop();
    expect(second.stopped).toBeGreaterThan(0);
  });

  test('that cannot come back is tried on and on, later and later, saying why', async () => {
    const { part, said, starts, waits } = rig();
    const first = new Fake(1);
    starts.push(
      async () => first,
      () => Promise.reject(new Error('the port is taken')),
      () => Promise.reject(new Error('the port is taken')),
      async () => new Fake(4),
    );
    await part.start();
    first.end(KILLED);
    for (let i = 0; i < 3; i++) {
      await turn();
      waits[i]?.();
    }
    await part.whenRunning();
    expect(said.slice(1)).toEqual([
      'ended SIGKILL 100',
      'wait 100',
      'failed the port is taken 200',
      'wait 200',
      'failed the port is taken 400',
      'wait 400',
      'again 4',
    ]);
    await part.stop();
  });

  test('that fails at its very first start is not tried again', async () => {
    const { part, said, starts } = rig();
    starts.push(() => Promise.reject(new Error('no')));
    await expect(part.start()).rejects.toThrow('no');
    await part.stop();
    expect(said).toEqual([]);
  });

  test('that is stopped stays so, also while it waits to be started again', async () => {
    const { part, said, starts } = rig();
    const first = new Fake(1);
    starts.push(async () => first);
    await part.start();
    first.end(KILLED);
    await turn();
    await part.stop();
    expect(said).toEqual(['started 1', 'ended SIGKILL 100', 'wait 100']);
  });

  test('that is stopped while it is being started again is ended when it comes up all the same', async () => {
    const { part, said, starts, waits } = rig();
    const [first, second] = [new Fake(1), new Fake(2)];
    let comesUp = () => {};
    starts.push(
      async () => first,
      () =>
        new Promise((resolve) => {
          comesUp = () => resolve(second);
        }),
    );
    await part.start();
    first.end(KILLED);
    await turn();
    waits[0]?.();
    await turn();
    const stopped = part.stop().then(() => 'stopped');
    comesUp();
    await turn();
    expect(await Promise.race([stopped, turn()])).toBe('stopped');
    expect(second.stopped).toBe(1);
    expect(said).toEqual(['started 1', 'ended SIGKILL 100', 'wait 100']);
  });
});
