// Builds the real Oathkeeper from the Go module pinned here, once, into the cache. Files, processes.
import { fileURLToPath } from 'node:url';
import { buildGoProgram, type GoProgram, pinnedVersion } from '../go-program.ts';

const OATHKEEPER: GoProgram = {
  name: 'oathkeeper',
  title: 'Ory Oathkeeper',
  folder: fileURLToPath(new URL('.', import.meta.url)),
  module: 'github.com/ory/oathkeeper',
  c: false,
  need: 'the suites against the real Oathkeeper and the benchmark build it from source.',
};

/** The path of the built program, and its version. @throws {ToolMissing} without Go */
export async function buildOathkeeper(): Promise<{ readonly path: string; readonly version: string }> {
  return { path: await buildGoProgram(OATHKEEPER), version: await pinnedVersion(OATHKEEPER) };
}
