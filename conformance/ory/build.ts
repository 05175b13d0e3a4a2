// Builds the real Kratos and Hydra from the Go modules pinned beside this folder, once, into the cache. Files, processes.
import { fileURLToPath } from 'node:url';
import { cacheDir } from '../../src/edge/cache-dir.ts';
import { buildGoProgram, ToolMissing } from '../go-program.ts';

const servers = {
  kratos: { title: 'Ory Kratos', module: 'github.com/ory/kratos' },
  hydra: { title: 'Ory Hydra', module: 'github.com/ory/hydra/v2' },
} as const;

export type ServerName = keyof typeof servers;

/** The path of the built program. @throws {ToolMissing} without Go or a C compiler */
export function buildServer(name: ServerName, cache: string = cacheDir()): Promise<string> {
  return buildGoProgram(
    {
      ...servers[name],
      name,
      folder: fileURLToPath(new URL(`../${name}/`, import.meta.url)),
      tags: 'sqlite,json1',
      c: true,
      need: 'the suites against the real Ory servers build them from source.',
    },
    cache,
  );
}

/** What to install before the real servers can be built; undefined where they have been. */
export async function missingTool(): Promise<string | undefined> {
  try {
    await buildServer('kratos');
    await buildServer('hydra');
    return undefined;
  } catch (error) {
    if (error instanceof ToolMissing) return error.message;
    throw error;
  }
}
