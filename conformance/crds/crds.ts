// Objects held to what an API server would say of them: the Go program of this folder, with the definitions of the pinned
// modules. Builds it once, starts processes.
import { execFile, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildGoProgram } from '../go-program.ts';

const run = promisify(execFile);
const FOLDER = fileURLToPath(new URL('.', import.meta.url));

/** Where the definitions are in each module. */
const DEFINITIONS = {
  'istio.io/api': 'kubernetes',
  'github.com/envoyproxy/gateway': 'charts/gateway-helm/charts/crds/crds/generated',
  'sigs.k8s.io/gateway-api': 'config/crd/standard',
} as const;

/** One object, and what an API server has against it. */
export interface Checked {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly faults: readonly string[];
}

/** @throws {ToolMissing} without Go */
export function buildCrds(): Promise<string> {
  return buildGoProgram({
    name: 'crds',
    title: 'the check of Kubernetes objects with apiextensions-apiserver',
    folder: FOLDER,
    module: 'k8s.io/apiextensions-apiserver',
    target: '.',
    c: false,
    need: 'the suite holds generated Kubernetes objects to their definitions.',
  });
}

/** Each object of a stream of YAML, in order. */
export async function checkObjects(yaml: string): Promise<readonly Checked[]> {
  const program = await buildCrds();
  const child = spawn(program, await definitionFiles(), { stdio: ['pipe', 'pipe', 'pipe'], timeout: 120_000 });
  let [out, err] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  child.stdin.end(yaml);
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`the check of objects ended with ${code}: ${err}`);
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Checked);
}

let files: Promise<readonly string[]> | undefined;

function definitionFiles(): Promise<readonly string[]> {
  files ??= findDefinitions();
  return files;
}

/** In the module cache: in the versions that go.mod pins, after its replacements. */
async function findDefinitions(): Promise<readonly string[]> {
  const modules = Object.keys(DEFINITIONS);
  const options = { cwd: FOLDER, env: { ...process.env, GOWORK: 'off' }, timeout: 300_000 };
  await run('go', ['mod', 'download', ...modules], options);
  const { stdout } = await run('go', ['list', '-mod=readonly', '-m', '-f', '{{.Path}} {{.Dir}}', ...modules], options);
  return stdout
    .trim()
    .split('\n')
    .flatMap((line) => {
      const [module = '', dir = ''] = line.split(' ');
      const folder = join(dir, DEFINITIONS[module as keyof typeof DEFINITIONS]);
      return readdirSync(folder)
        .filter((name) => name.endsWith('.yaml'))
        .map((name) => join(folder, name));
    });
}
