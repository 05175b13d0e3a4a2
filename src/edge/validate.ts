// Whether Envoy would take a configuration, asked before a running one is given it. Runs Envoy, writes a private folder.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explainExit } from './start-error.ts';

const TIMEOUT_MS = 30_000;

/** @returns why Envoy refuses this bootstrap, in one sentence; undefined where it does not. */
export async function validateEnvoyConfig(path: string, config: string): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'ory-envoy-validate-'));
  try {
    const file = join(folder, 'envoy.yaml');
    await writeFile(file, config, { mode: 0o600 });
    const args = ['--mode', 'validate', '--config-path', file, '--log-level', 'warn'];
    return await new Promise((resolve) => {
      execFile(path, args, { timeout: TIMEOUT_MS, maxBuffer: 1024 * 1024 }, (error, _, stderr) => {
        if (!error) resolve(undefined);
        else resolve(explainExit(stderr.split('\n'), error.killed ? 'it did not answer in time' : 'it gave no reason'));
      });
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
