// One Envoy process with a given bootstrap: started, waited for, watched, stopped. Runs a program, writes a private folder.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { type Exit, stopProcess } from './process.ts';
import { explainExit } from './start-error.ts';
import { endWithThisProcess } from './watchdog.ts';

export interface StartEnvoyOptions {
  readonly path: string;
  /** The bootstrap, as YAML; or what makes it, once it is told the private folder, where it may put further files. */
  readonly config: string | ((folder: string) => Promise<string>);
  /** Between a listener's replacement and the end of the connections that it still has; default Envoy's own 600 s. */
  readonly drainTimeSeconds?: number;
  /** Variables beside those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Worker threads; default one a core, which is Envoy's own. */
  readonly concurrency?: number;
  /** Envoy's own log, a line at a time. */
  readonly onLog?: (line: string) => void;
  /** What Envoy writes to standard output: the access log. */
  readonly onAccessLog?: (line: string) => void;
  /** Bound of the wait for the listeners; default 30 s. */
  readonly startTimeoutMs?: number;
  /** Calls the start off: what was begun is ended. */
  readonly signal?: AbortSignal;
  /** Between SIGTERM and SIGKILL; default 5 s. */
  readonly stopTimeoutMs?: number;
}

export interface EnvoyListener {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

export interface RunningEnvoy {
  readonly pid: number;
  /** Private, and gone when the process is. */
  readonly folder: string;
  /** Such as `http://127.0.0.1:9901`. */
  readonly adminUrl: string;
  /** The addresses that were bound: real ports where the bootstrap says 0. */
  readonly listeners: readonly EnvoyListener[];
  /** Of the first listener. */
  readonly listenPort: number;
  /** Settles when the process is gone, for whatever cause; never rejects. */
  readonly exited: Promise<Exit>;
  /** SIGTERM, and SIGKILL after the bound; resolves when the process and its folder are gone. */
  stop(): Promise<void>;
  /** SIGKILL, without waiting. */
  kill(): void;
}

/** Envoy did not come up; the message is one sentence, with Envoy's own words where they help. */
export class EnvoyStartError extends Error {
  override readonly name = 'EnvoyStartError';
  /** The last lines of Envoy's log. */
  readonly log: readonly string[];

  constructor(message: string, log: readonly string[]) {
    super(message);
    this.log = log;
  }
}

const KEPT_LINES = 100;
const POLL_MS = 20;

/**
 * Starts Envoy and waits until its listeners answer.
 * The bootstrap lies in a folder of mode 0700 that is removed when the process ends: it names key files and addresses.
 * @throws {EnvoyStartError} where Envoy exits or does not answer in time; nothing is left running.
 */
export async function startEnvoy(options: StartEnvoyOptions): Promise<RunningEnvoy> {
  const folder = await mkdtemp(join(tmpdir(), 'ory-envoy-run-'));
  const removeFolder = () => rm(folder, { recursive: true, force: true });
  const adminFile = join(folder, 'admin');
  const configFile = join(folder, 'envoy.yaml');
  const { config } = options;
  await writeFile(configFile, typeof config === 'string' ? config : await config(folder), { mode: 0o600 });
  const args = ['--config-path', configFile, '--admin-address-path', adminFile, '--disable-hot-restart'];
  // Envoy keeps its access log back for 10 s by default; who watches it wants to see what just happened.
  args.push('--log-level', 'warn', '--file-flush-interval-msec', '200');
  if (options.concurrency !== undefined) args.push('--concurrency', String(options.concurrency));
  if (options.drainTimeSeconds !== undefined)
    // At once, not by and by: a connection that is still used is told to close with its next answer.
    args.push('--drain-strategy', 'immediate', '--drain-time-s', String(options.drainTimeSeconds));
  // A process group of its own: Ctrl-C in a terminal is this process's to answer.
  const child = spawn(options.path, args, {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const callOff = child.pid === undefined ? () => {} : endWithThisProcess(child.pid, folder);
  const log = collectOutput(child, options);
  let spawnError: Error | undefined;
  const exited = new Promise<Exit>((resolve) => {
    child.once('error', (error) => {
      spawnError = error;
      if (child.pid === undefined) resolve({ code: null, signal: null });
    });
    child.once('close', (code, signal) => resolve({ code, signal }));
  }).then(async (exit) => {
    callOff();
    await removeFolder().catch(() => {});
    return exit;
  });
  const stop = () => stopProcess(child, exited, options.stopTimeoutMs ?? 5_000);
  const callOffStart = () => void stop();
  options.signal?.addEventListener('abort', callOffStart);
  if (options.signal?.aborted) callOffStart();
  try {
    const ready = await waitUntilReady(adminFile, exited, options.startTimeoutMs ?? 30_000);
    const first = ready.listeners[0];
    if (child.pid === undefined || !first) throw new NotReady('it has no listener');
    return {
      pid: child.pid,
      folder,
      adminUrl: ready.adminUrl,
      listeners: ready.listeners,
      listenPort: first.port,
      exited,
      stop,
      kill: () => child.kill('SIGKILL'),
    };
  } catch (error) {
    await stop();
    if (!(error instanceof NotReady)) throw error;
    throw new EnvoyStartError(
      spawnError ? `Envoy cannot be run: ${spawnError.message}` : explainExit(log, error.message),
      log,
    );
  } finally {
    options.signal?.removeEventListener('abort', callOffStart);
  }
}

class NotReady extends Error {}

function collectOutput(child: ChildProcess, options: StartEnvoyOptions): string[] {
  const log: string[] = [];
  const keep = (line: string) => {
    log.push(line);
    if (log.length > KEPT_LINES) log.shift();
    options.onLog?.(line);
  };
  if (child.stderr) createInterface({ input: child.stderr }).on('line', keep);
  // Read even where nobody listens: a full pipe would stop Envoy.
  if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => options.onAccessLog?.(line));
  return log;
}

interface Ready {
  readonly adminUrl: string;
  readonly listeners: readonly EnvoyListener[];
}

async function waitUntilReady(adminFile: string, exited: Promise<Exit>, timeoutMs: number): Promise<Ready> {
  const deadline = Date.now() + timeoutMs;
  let gone: Exit | undefined;
  void exited.then((exit) => {
    gone = exit;
  });
  while (Date.now() < deadline) {
    if (gone) throw new NotReady(gone.signal ? `it was ended by ${gone.signal}` : `it exited with code ${gone.code}`);
    const ready = await askAdmin(adminFile);
    if (ready) return ready;
    await Promise.race([exited, delay(POLL_MS)]);
  }
  throw new NotReady(`it did not answer within ${timeoutMs} ms`);
}

async function askAdmin(adminFile: string): Promise<Ready | undefined> {
  try {
    const address = (await readFile(adminFile, 'utf8')).trim();
    if (address === '') return undefined;
    const adminUrl = `http://${address}`;
    const signal = AbortSignal.timeout(2_000);
    const ready = await fetch(`${adminUrl}/ready`, { signal });
    await ready.body?.cancel();
    if (ready.status !== 200) return undefined;
    const listeners = parseListeners(await (await fetch(`${adminUrl}/listeners?format=json`, { signal })).json());
    return { adminUrl, listeners };
  } catch {
    return undefined;
  }
}

interface ListenersAnswer {
  readonly listener_statuses?: readonly {
    readonly name: string;
    readonly local_address?: { readonly socket_address?: { readonly address: string; readonly port_value?: number } };
  }[];
}

function parseListeners(answer: unknown): EnvoyListener[] {
  return ((answer as ListenersAnswer).listener_statuses ?? []).flatMap((listener) => {
    const address = listener.local_address?.socket_address;
    return address ? [{ name: listener.name, host: address.address, port: address.port_value ?? 0 }] : [];
  });
}
