// Builds egctl from the Go module pinned in this folder, once, into the cache. Files, processes.
import { fileURLToPath } from 'node:url';
import { buildGoProgram } from '../go-program.ts';

/** The path of the built program. @throws {ToolMissing} without Go */
export function buildEgctl(): Promise<string> {
  return buildGoProgram({
    name: 'egctl',
    title: 'Envoy Gateway’s egctl',
    folder: fileURLToPath(new URL('.', import.meta.url)),
    module: 'github.com/envoyproxy/gateway',
    target: 'github.com/envoyproxy/gateway/cmd/egctl',
    c: false,
    need: 'the suites of the target envoy-gateway build Envoy Gateway’s own translator.',
  });
}
