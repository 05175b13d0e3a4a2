// With an Envoy of the test's own: what is asked for while it is away, and what becomes of one that refuses.
import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type DiscoveredEnvoy, PushRejectedError } from '../../edge/discovered.ts';
import type { Discovery } from '../../generate/envoy/discovery.ts';
import { EdgePart } from './edge.ts';
import { Journal } from './journal.ts';
import { readPolicy } from './policy.ts';
import { type Compiled, compile } from './reload.ts';

class FakeEnvoy {
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly pid: number;
  readonly has: Discovery[];
  gone = false;
  /** Set: pushes wait until it is called, with the refusal if there is to be one. */
  answers: ((refusal?: Error) => void)[] | undefined;
  end: () => void = () => {};

  constructor(pid: number, discovery: Discovery) {
    this.pid = pid;
    this.has = [discovery];
    this.exited = new Promise((resolve) => {
      this.end = () => {
        this.gone = true;
        resolve({ code: null, signal: 'SIGKILL' });
      };
    });
  }

  async push(next: Discovery): Promise<void> {
    if (this.gone) throw new Error('it is gone');
    const { answers } = this;
    if (answers)
      await new Promise<void>((resolve, reject) => answers.push((refusal) => (refusal ? reject(refusal) : resolve())));
    this.has.push(next);
  }

  async forget(): Promise<void> {}

  async stop(): Promise<void> {
    this.end();
  }

  kill(): void {
    this.end();
  }
}

/** An edge whose Envoys the test starts one by one: `starts[n]` lets the next one come up. */
function rig() {
  const journal = new Journal(true, {});
  const said: string[] = [];
  journal.write = ({ message }) => said.push(message);
  const envoys: FakeEnvoy[] = [];
  const starts: ((answers?: FakeEnvoy['answers']) => void)[] = [];
  const edge = new EdgePart('unused', policy('one'), journal, async (_, discovery) => {
    const answers = await new Promise<FakeEnvoy['answers']>((resolve) => starts.push(resolve));
    const envoy = new FakeEnvoy(envoys.length + 1, discovery);
    envoy.answers = answers;
    envoys.push(envoy);
    return envoy as unknown as DiscoveredEnvoy;
  });
  const up = async () => {
    const started = edge.start();
    await vi.waitFor(() => expect(starts).toHaveLength(1));
    starts[0]?.();
    await started;
  };
  return { edge, said, envoys, starts, up };
}

function policy(rule: string, listen = 0): Compiled {
  const text = JSON.stringify({
    ory: { url: 'http://127.0.0.1:1' },
    edge: { listen: `127.0.0.1:${listen}`, admin: '127.0.0.1:0', upstream: 'http://127.0.0.1:2' },
    rules: [{ name: rule, match: { path: `/${rule}` }, allow: 'anyone' }],
  });
  return compile(readPolicy(text, 'f', {}), '/filters');
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
async function takenPort(): Promise<{ port: number; free: () => Promise<void> }> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return { port, free: () => new Promise((resolve) => server.close(() => resolve())) };
}

describe('an Envoy that is being started again', () => {
  test('is given everything that came meanwhile, also what came while it was given something', async () => {
    const { edge, envoys, starts, up } = rig();
    await up();
    envoys[0]?.end();
    await vi.waitFor(() => expect(starts).toHaveLength(2));
    const [two, three, four] = [policy('two'), policy('three'), policy('four')];
    expect(await edge.apply(two)).toBe('later');
    const answers: NonNullable<FakeEnvoy['answers']> = [];
    starts[1]?.(answers);
    await vi.waitFor(() => expect(answers).toHaveLength(1));
    expect(await edge.apply(three)).toBe('later');
    answers[0]?.();
    await vi.waitFor(() => expect(answers).toHaveLength(2));
    const last = envoys[1] as FakeEnvoy;
    last.answers = undefined;
    answers[1]?.();
    await vi.waitFor(async () => expect(await edge.apply(four)).toBe('now'));
    expect(last.has.slice(1, 3)).toEqual([two.discovery, three.discovery]);
    expect(last.has.at(-1)).toBe(four.discovery);
    await edge.stop();
  });

  test('has what was asked of the one before, which ended over it', async () => {
    const { edge, envoys, starts, up } = rig();
    await up();
    const answers: NonNullable<FakeEnvoy['answers']> = [];
    const [first] = envoys as [FakeEnvoy];
    first.answers = answers;
    const two = policy('two');
    const applied = edge.apply(two);
    await vi.waitFor(() => expect(answers).toHaveLength(1));
    first.end();
    await vi.waitFor(() => expect(starts).toHaveLength(2));
    starts[1]?.();
    await vi.waitFor(() => expect(envoys).toHaveLength(2));
    await new Promise((resolve) => setImmediate(resolve));
    answers[0]?.(new Error('it does not answer'));
    expect(await applied).toBe('now');
    expect(envoys[1]?.has.at(-1)).toBe(two.discovery);
    await edge.stop();
  });
});

describe('an Envoy that refuses, while it is being started again, what came meanwhile', () => {
  test('is ended, and the next one begins with it, or with what took its place', async () => {
    const { edge, said, envoys, starts, up } = rig();
    await up();
    envoys[0]?.end();
    await vi.waitFor(() => expect(starts).toHaveLength(2));
    await edge.apply(policy('two'));
    const answers: NonNullable<FakeEnvoy['answers']> = [];
    starts[1]?.(answers);
    await vi.waitFor(() => expect(answers).toHaveLength(1));
    answers[0]?.(new PushRejectedError('no room'));
    await vi.waitFor(() => expect(said.at(-1)).toMatch(/^Envoy cannot be started again: Envoy refused it: no room\./));
    expect(envoys[1]?.gone).toBe(true);
    const three = policy('three');
    expect(await edge.apply(three)).toBe('later');
    await vi.waitFor(() => expect(starts).toHaveLength(3));
    starts[2]?.();
    await vi.waitFor(() => expect(envoys[2]?.has).toEqual([three.discovery]));
    await edge.stop();
    expect(envoys.map((one) => one.gone)).toEqual([true, true, true]);
  });
});

describe('an address that another program has', () => {
  test('is refused also while Envoy is away, and it comes back with what was wanted before', async () => {
    const { edge, envoys, starts, up } = rig();
    const { port, free } = await takenPort();
    await up();
    envoys[0]?.end();
    await vi.waitFor(() => expect(starts).toHaveLength(2));
    await expect(edge.apply(policy('two', port))).rejects.toThrow('another program has this port');
    starts[1]?.();
    await vi.waitFor(() => expect(envoys).toHaveLength(2));
    expect(envoys[1]?.has).toHaveLength(1);
    await free();
    const three = policy('three', port);
    await vi.waitFor(async () => expect(await edge.apply(three)).toBe('now'));
    expect(envoys[1]?.has.at(-1)).toBe(three.discovery);
    await edge.stop();
  });

  test('is not looked for where the one that is being started has the address itself', async () => {
    const { edge, envoys, starts, up } = rig();
    const { port, free } = await takenPort();
    await free();
    await up();
    expect(await edge.apply(policy('two', port))).toBe('now');
    envoys[0]?.end();
    await vi.waitFor(() => expect(starts).toHaveLength(2));
    expect(await edge.apply(policy('three', 0))).toBe('later');
    // As Envoy would by now.
    const envoy = createServer();
    servers.push(envoy);
    await new Promise<void>((resolve) => envoy.listen(port, '127.0.0.1', resolve));
    expect(await edge.apply(policy('four', port))).toBe('later');
    starts[1]?.();
    await edge.stop();
  });
});
