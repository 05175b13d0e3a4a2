// The authorizer as its users run it: `ory-envoy serve` in a process of its own. Starts processes.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { until } from '../../until.ts';

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));

export interface ServeProcess {
  /** Everything it has written, across restarts. */
  log(): string;
  pid(): number;
  start(): Promise<void>;
  /** Of its workers. */
  workers(): readonly number[];
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** SIGSTOP and SIGCONT. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
}

/** Does not start it. `admin` is the address of its admin port, `args` what else is on its command line. */
export function serveProcess(configFile: string, admin: string, args: readonly string[] = []): ServeProcess {
  let child: ChildProcess | undefined;
  let written = '';
  const gone = (process: ChildProcess) =>
    new Promise<number | null>((resolve) => {
      if (process.exitCode !== null || process.signalCode !== null) resolve(process.exitCode);
      else process.once('exit', (code) => resolve(code));
    });
  return {
    log: () => written,
    pid: () => child?.pid ?? 0,
    workers: () => workersOf(child?.pid ?? 0),
    async start() {
      const started = spawn(process.execPath, [MAIN, 'serve', '-c', configFile, ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      child = started;
      for (const stream of [started.stdout, started.stderr])
        stream.on('data', (data: Buffer) => (written += data.toString()));
      await until('the authorizer is ready', async () => {
        if (started.exitCode !== null) throw new Error(`serve ended with ${started.exitCode}: ${written}`);
        return (await fetch(`http://${admin}/health/ready`).catch(() => undefined))?.status === 200;
      });
    },
    async kill() {
      child?.kill('SIGKILL');
      if (child) await gone(child);
    },
    async stop() {
      child?.kill('SIGTERM');
      return child ? await gone(child) : null;
    },
    signal: (signal) => child?.kill(signal),
  };
}

/** Workers that this process has started. */
export function workersOf(pid: number): readonly number[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=,args=', '--ppid', String(pid)], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .filter((line) => line.endsWith(' worker'))
    .map((line) => Number.parseInt(line, 10));
}
