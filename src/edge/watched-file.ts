// A file from which Envoy discovers a part of its configuration: replaced as a whole, under a version of its own. Writes files.
import { randomBytes } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const run = randomBytes(6).toString('hex');
let serial = 0;

/** What {@link replaceFile} leaves behind where its process ends in the middle. */
export const UNFINISHED = /^\.[\da-f]+-\d+\.new$/;

/**
 * `content` is told the version, which was never there before, also by another process: Envoy names it once it has taken it.
 * @returns the version
 */
export async function replaceFile(path: string, content: (version: string) => string, mode = 0o600): Promise<string> {
  const version = `${run}-${++serial}`;
  // In the same folder: a rename within it is one step, and the only event that Envoy looks for.
  const temporary = join(dirname(path), `.${version}.new`);
  try {
    await writeFile(temporary, content(version), { flag: 'wx', mode });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  return version;
}
