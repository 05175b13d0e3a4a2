// The contenders that are written in Go, built once into the cache. Files, processes.
import { fileURLToPath } from 'node:url';
import { buildGoProgram, type GoProgram, pinnedVersion } from '../../conformance/go-program.ts';

const folderOf = (name: string) => fileURLToPath(new URL(`../${name}/`, import.meta.url));
const need = 'the benchmark builds it from source.';

const AUTHORIZER: GoProgram = {
  name: 'go-authorizer',
  title: 'the Go authorizer that does nothing, with grpc-go',
  folder: folderOf('go-authorizer'),
  module: 'google.golang.org/grpc',
  target: '.',
  c: false,
  need,
};

export interface Built {
  readonly path: string;
  /** For a table. */
  readonly version: string;
}

/** @throws {ToolMissing} */
export async function buildGoAuthorizer(): Promise<Built> {
  return { path: await buildGoProgram(AUTHORIZER), version: `grpc-go ${await pinnedVersion(AUTHORIZER)}` };
}
