// On what and when something was measured. Reads the system.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { promisify } from 'node:util';
import { rounded } from './report/statistics.ts';

const run = promisify(execFile);

export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGiB: number;
  readonly system: string;
}

export function machine(): Machine {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model.trim() || 'unknown',
    memoryGiB: rounded(totalmem() / 1_073_741_824),
    system: `${platform()} ${release().split('-')[0]} ${arch()}`,
  };
}

/** Of the last minute: processes that ran or wanted to. */
export function loadOfMachine(): number {
  return rounded(loadavg()[0] ?? 0);
}

export async function goVersion(): Promise<string | undefined> {
  const { stdout } = await run('go', ['env', 'GOVERSION']).catch(() => ({ stdout: '' }));
  return stdout.trim().replace(/^go/, '') || undefined;
}

export function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return version;
}
