// `ory-envoy generate` as its users run it. Starts a process, writes into the backing's folder.
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import type { Target } from '../../src/generate/target.ts';
import type { Backing } from './target.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const run = promisify(execFile);

export interface GeneratedFiles {
  /** Texts by name. */
  readonly files: ReadonlyMap<string, string>;
  /** Where they are. */
  readonly folder: string;
  /** What it wrote to standard error. */
  readonly err: string;
}

/** The target cannot express the policy: exit code 2, and why. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

/** @param flags beside `-c` and `-o`. @throws {Refused} */
export async function generated(
  { dir, policy }: Pick<Backing, 'dir' | 'policy'>,
  target: Target,
  flags: readonly string[] = [],
): Promise<GeneratedFiles> {
  const place = mkdtempSync(join(dir, `${target}-`));
  const folder = join(place, 'out');
  const { stderr } = await generate(target, fileIn(place, policy), ['-o', folder, ...flags]);
  const names = readdirSync(folder).sort();
  const files = new Map(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
  return { files, folder, err: stderr };
}

/** What it writes to standard output. @param flags beside `-c`. @throws {Refused} */
export async function generatedStream(
  { dir, policy }: Pick<Backing, 'dir' | 'policy'>,
  target: Target,
  flags: readonly string[] = [],
): Promise<string> {
  const place = mkdtempSync(join(dir, `${target}-`));
  return (await generate(target, fileIn(place, policy), flags)).stdout;
}

function fileIn(folder: string, policy: Backing['policy']): string {
  const file = join(folder, 'ory-envoy.yaml');
  writeFileSync(file, stringify(policy));
  return file;
}

async function generate(target: Target, file: string, flags: readonly string[]) {
  try {
    const args = [MAIN, 'generate', target, '-c', file, ...flags];
    return await run(process.execPath, args, { timeout: 60_000, maxBuffer: 16 * 1024 * 1024 });
  } catch (error) {
    const { code, stderr } = error as { readonly code?: unknown; readonly stderr?: string };
    if (code === 2) throw new Refused(stderr?.trim() ?? '');
    throw error;
  }
}
