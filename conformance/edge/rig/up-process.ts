// `ory-envoy up` as its users run it, in a folder and on ports of its own. Starts processes, writes a temporary folder.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../ports.ts';
import { until } from '../../until.ts';

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));

/** What `up --json` writes to standard error. */
interface UpEvent {
  readonly part: string;
  readonly level: string;
  readonly event?: string;
  readonly message: string;
  readonly data?: { readonly [key: string]: unknown };
}

export interface UpProcess {
  readonly process: ChildProcess;
  out(): string;
  err(): string;
  /** With `--json`: its lines, in order. */
  events(): UpEvent[];
  /** The process of a part that was started last. */
  pidOf(part: string): number;
  /** Undefined while it runs; a signal's name where one ended it. */
  code(): number | string | undefined;
  isUp(): Promise<void>;
  ended(): Promise<void>;
}

export interface UpRig {
  readonly dir: string;
  /** What its processes have left of private folders: their temporary folder is the rig's own. */
  folders(): string[];
  up(args?: readonly string[], env?: Readonly<Record<string, string>>): UpProcess;
  /** Ends what still runs and removes the folder. */
  close(): Promise<void>;
}

export function upRig(): UpRig {
  const dir = mkdtempSync(join(tmpdir(), 'ory-envoy-up-'));
  const temporary = join(dir, 'tmp');
  mkdirSync(temporary);
  const running: UpProcess[] = [];
  return {
    dir,
    folders: () => readdirSync(temporary),
    up(args = [], env = {}) {
      const one = start(dir, args, { TMPDIR: temporary, ...env });
      running.push(one);
      return one;
    },
    async close() {
      for (const one of running.splice(0)) {
        if (one.code() === undefined) one.process.kill('SIGTERM');
        await one.ended().catch((error: unknown) => {
          one.process.kill('SIGKILL');
          throw error;
        });
      }
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function start(cwd: string, args: readonly string[], env: Readonly<Record<string, string>>): UpProcess {
  const child = spawn(process.execPath, [MAIN, 'up', ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  let code: number | string | undefined;
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  child.on('close', (exit, signal) => {
    code = exit ?? signal ?? 'gone';
  });
  const events = () =>
    err
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as UpEvent);
  return {
    process: child,
    out: () => out,
    err: () => err,
    events,
    pidOf: (part) => Number(events().findLast((one) => one.data?.['of'] === part && one.data['pid'])?.data?.['pid']),
    code: () => code,
    isUp: () =>
      until(
        'the edge is up',
        () => {
          if (code !== undefined) throw new Error(`up ended with ${code}: ${err}`);
          return /The \w+ is up|"event":"up"/.test(out);
        },
        120_000,
      ),
    ended: () => until('up has ended', () => code !== undefined, 60_000),
  };
}

/** Every process that descends from this one, also those in groups of their own. */
export function descendantsOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return children.map(Number).flatMap((child) => [child, ...descendantsOf(child)]);
}

export function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

export interface UpFile {
  readonly file: string;
  readonly url: string;
  /** Every port that is bound while it runs. */
  readonly ports: readonly number[];
  readonly adminUrl: string;
  /** The authorizer's admin port. */
  readonly authorizerAdminUrl: string;
  /** Writes the file anew; keys of `edge` and `serve` are merged into it. */
  write(content: { readonly edge?: object; readonly serve?: object; readonly [key: string]: unknown }): string;
}

/** A file in the folder whose addresses are free ones. */
export async function upFile(dir: string, name = 'edge.yaml'): Promise<UpFile> {
  const [listen = 0, admin = 0, http = 0, grpc = 0, health = 0] = await freePorts(5);
  const file = join(dir, name);
  return {
    file,
    url: `http://127.0.0.1:${listen}`,
    ports: [listen, admin, http, health],
    adminUrl: `http://127.0.0.1:${admin}`,
    authorizerAdminUrl: `http://127.0.0.1:${health}`,
    write(content) {
      const text = JSON.stringify(
        {
          ory: { url: 'http://127.0.0.1:9' },
          ...content,
          edge: {
            listen: `127.0.0.1:${listen}`,
            admin: `127.0.0.1:${admin}`,
            upstream: 'http://127.0.0.1:9',
            ...content.edge,
          },
          serve: {
            http: `127.0.0.1:${http}`,
            grpc: `127.0.0.1:${grpc}`,
            admin: `127.0.0.1:${health}`,
            ...content.serve,
          },
        },
        undefined,
        1,
      );
      writeFileSync(file, text);
      return text;
    },
  };
}
