// The load: wrk with a script that goes through many people. Starts a program.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL('wrk.lua', import.meta.url));

export interface LoadOptions {
  readonly url: string;
  /** A header line for each person. */
  readonly file: string;
  readonly cores: string;
  readonly connections: number;
  readonly seconds: number;
  readonly seed: number;
  /** Mean pause of a connection before its next request; without it, none. */
  readonly pauseMs?: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
}

/** @throws where one answer was not a yes, or did not come: a contender that does not do its job has no figures. */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const { url, file, cores, connections, seconds, seed, pauseMs } = options;
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', SCRIPT, url, '--'];
  const script = [file, String(seed), ...(pauseMs === undefined ? [] : [String(pauseMs)])];
  const { stdout } = await run('taskset', ['-c', cores, 'wrk', ...args, ...script], {
    timeout: (seconds + 60) * 1_000,
  });
  const line = stdout.trimEnd().split('\n').at(-1) ?? '';
  if (!line.startsWith('{')) throw new Error(`wrk said something else: ${stdout}`);
  const { refused, failed, ...result } = JSON.parse(line) as LoadResult & { refused: number; failed: number };
  if (refused > 0 || failed > 0 || result.requests === 0)
    throw new Error(`${url}: ${result.requests} requests, ${refused} refused, ${failed} without an answer`);
  return result;
}

/** Its version, such as `4.1.0`; undefined where it is not installed. */
export async function wrkVersion(): Promise<string | undefined> {
  // It takes the question for a mistake, and answers.
  const answer = await run('wrk', ['--version']).catch((error: { stdout?: string }) => error);
  return /wrk (?:debian\/)?(\S+)/.exec(answer.stdout ?? '')?.[1];
}
