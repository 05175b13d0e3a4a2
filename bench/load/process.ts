// Processes that the bench starts beside itself, on cores of their own, and what they have used. Starts programs, reads
// /proc.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Cores {
  /** Of the Envoy that is measured. */
  readonly envoy: string;
  /** Of everything else: authorizer, application, stand-ins, the load. */
  readonly rest: string;
}

/** Two cores, whatever the machine has: a figure is one of two cores. One core alone cannot be divided. */
export function coresOf(count: number = availableParallelism()): Cores {
  return count < 2 ? { envoy: '0', rest: '0' } : { envoy: '0', rest: '1' };
}

export interface Started {
  readonly pid: number;
  /** What it wrote to standard output and standard error. */
  output(): string;
  stop(): Promise<void>;
}

/** Started on these cores from the first: Go counts them once, at the start. */
export async function startOn(
  cores: string,
  program: string,
  args: readonly string[],
  ready: (output: string) => boolean | Promise<boolean>,
  env: Readonly<Record<string, string>> = {},
): Promise<Started> {
  const child = spawn('taskset', ['-c', cores, program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
  const gone = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      output += error.message;
      resolve();
    });
    child.once('exit', () => resolve());
  });
  const started: Started = { pid: child.pid ?? 0, output: () => output, stop: () => end(child, gone) };
  const limit = Date.now() + 30_000;
  while (!(await ready(output))) {
    const over = child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
    if (over || Date.now() > limit) {
      await started.stop();
      throw new Error(`${program} ${args.join(' ')} did not start: ${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return started;
}

async function end(child: ChildProcess, gone: Promise<void>): Promise<void> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 3_000);
  await gone;
  clearTimeout(timer);
}

/** All threads of a process that runs already. */
export async function pin(pid: number, cores: string): Promise<void> {
  await run('taskset', ['-a', '-c', '-p', cores, String(pid)]);
}

/** Microseconds that its threads have run. `schedstat` counts nanoseconds; without it, ticks of a hundredth of a second. */
export function cpuMicros(pid: number): number {
  let nanos = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const text = readOr(`/proc/${pid}/task/${thread}/schedstat`);
    if (text === undefined) return ticks(pid) * 10_000;
    nanos += Number(text.split(' ', 1)[0]);
  }
  return nanos / 1_000;
}

function ticks(pid: number): number {
  // After the name, which may hold anything but ends with the last bracket.
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

export function residentBytes(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1_024;
}

function readOr(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
