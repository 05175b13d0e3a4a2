// One server as a process of its own that a suite can kill, hang and start again on the same ports and data.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { ServerProcess } from './ory.ts';

export interface Program {
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
  readonly logFile: string;
  /** Variables beside the few that every program is given. */
  readonly env?: Readonly<Record<string, string>>;
  /** All of these answer 200 once the server is ready. */
  readonly readyUrls: readonly string[];
}

const startTimeoutMs = 60_000;

/** Not the environment of this process: both servers take configuration from variables such as DSN. */
export function cleanEnvironment(): Record<string, string> {
  const kept = ['PATH', 'HOME', 'TMPDIR'].map((name) => [name, process.env[name] ?? ''] as const);
  return Object.fromEntries(kept.filter(([, value]) => value !== ''));
}

/** Starts the program and resolves once it is ready. It dies with this process, however that one dies. */
export async function startProgram(program: Program): Promise<ServerProcess> {
  let child: ChildProcess | undefined;
  let guard: ChildProcess | undefined;

  const server: ServerProcess = {
    async kill() {
      const running = child;
      child = undefined;
      // The guard first: later the id of the server may belong to somebody else.
      guard?.kill('SIGKILL');
      if (!running || !alive(running)) return;
      const gone = new Promise<void>((resolve) => running.once('exit', () => resolve()));
      running.kill('SIGKILL');
      await gone;
    },
    async start() {
      if (child && alive(child)) return;
      guard?.kill('SIGKILL');
      child = launch(program);
      guard = launchGuard(child);
      await untilReady(program, child).catch(async (error: unknown) => {
        await server.kill();
        throw error;
      });
    },
    pause() {
      child?.kill('SIGSTOP');
    },
    resume() {
      child?.kill('SIGCONT');
    },
  };
  await server.start();
  return server;
}

function launch({ path, args, logFile, env }: Program): ChildProcess {
  const log = openSync(logFile, 'a');
  const child = spawn(path, args, { env: { ...cleanEnvironment(), ...env }, stdio: ['ignore', log, log] });
  closeSync(log);
  return child;
}

/**
 * Ends the server when this process ends without a word, as under SIGKILL: the guard's standard input is a pipe from
 * here, and its end is the sign. In a group of its own, so that Ctrl-C does not reach it before.
 */
function launchGuard({ pid }: ChildProcess): ChildProcess | undefined {
  if (pid === undefined) return undefined;
  const script = 'cat >/dev/null; kill -KILL "$0"';
  const guard = spawn('/bin/sh', ['-c', script, String(pid)], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  guard.on('error', () => undefined);
  guard.unref();
  return guard;
}

function alive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

async function untilReady(program: Program, child: ChildProcess): Promise<void> {
  let spawnError: Error | undefined;
  child.once('error', (error) => {
    spawnError = error;
  });
  const deadline = Date.now() + startTimeoutMs;
  while (!(await allAnswer(program.readyUrls))) {
    const ended = spawnError?.message ?? child.exitCode ?? child.signalCode;
    if (ended !== null || Date.now() > deadline) {
      const log = (await readFile(program.logFile, 'utf8')).split('\n').slice(-15).join('\n');
      throw new Error(`${program.name} did not become ready (${ended ?? 'timeout'}):\n${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function allAnswer(urls: readonly string[]): Promise<boolean> {
  const answers = urls.map((url) =>
    fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
      async (response) => {
        await response.arrayBuffer();
        return response.status === 200;
      },
      () => false,
    ),
  );
  return (await Promise.all(answers)).every(Boolean);
}
