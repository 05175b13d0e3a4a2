// Builds Istio's istioctl and control plane from the Go module beside this file, once, into the cache. Files, processes.
import { fileURLToPath } from 'node:url';
import { buildGoProgram } from '../go-program.ts';

const programs = {
  istioctl: { title: 'istioctl', target: 'istio.io/istio/istioctl/cmd/istioctl' },
  'istio-control-plane': { title: 'Istio’s control plane', target: '.' },
} as const;

/** The path of the built program. @throws {ToolMissing} without Go */
export function buildIstio(name: keyof typeof programs): Promise<string> {
  return buildGoProgram({
    ...programs[name],
    name,
    folder: fileURLToPath(new URL('.', import.meta.url)),
    module: 'istio.io/istio',
    c: false,
    need: 'the suites on Istio build its programs from source.',
  });
}
