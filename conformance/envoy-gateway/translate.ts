// Envoy Gateway's own translator: from objects of Kubernetes to what it would tell Envoy. Starts a process.
import { spawn } from 'node:child_process';
import { buildEgctl } from './build.ts';

// biome-ignore lint/suspicious/noExplicitAny: the shapes are those of Envoy and Kubernetes, and a wrong step fails the test
type Anything = any;

const LIMIT_MS = 60_000;

/** What Envoy Gateway would tell the Envoys of its only Gateway, as a configuration dump of Envoy. */
export async function translate(stream: string): Promise<Anything[]> {
  const { xds } = JSON.parse(await egctl('xds', stream));
  const [only, ...others] = Object.values<Anything>(xds ?? {});
  if (!only || others.length > 0) throw new Error(`Gateways: ${Object.keys(xds ?? {}).join(', ') || 'none'}`);
  return only.configs;
}

export interface Condition {
  /** Kind and name of the object. */
  readonly of: string;
  readonly type: string;
  readonly message: string;
}

/** What Envoy Gateway would write into the objects' status where something is wrong with them. */
export async function complaints(stream: string): Promise<Condition[]> {
  const resources = JSON.parse(await egctl('gateway-api', stream));
  return Object.values<Anything>(resources).flatMap((objects) =>
    (Array.isArray(objects) ? objects : [objects]).flatMap(complaintsOf),
  );
}

/** Of these the status is good news where it is `True`. */
const GOOD = ['Accepted', 'Programmed', 'ResolvedRefs', 'Ready'];

function complaintsOf(object: Anything): Condition[] {
  const conditions: Anything[] = [];
  const collect = (value: Anything): void => {
    if (typeof value !== 'object' || value === null) return;
    if (Array.isArray(value.conditions)) conditions.push(...value.conditions);
    for (const inner of Object.values(value)) collect(inner);
  };
  collect(object?.status);
  return conditions
    .filter(({ type, status }) => GOOD.includes(type) && status !== 'True')
    .map(({ type, message }) => ({ of: `${object.kind} ${object.metadata?.name}`, type, message }));
}

async function egctl(to: 'xds' | 'gateway-api', stream: string): Promise<string> {
  const args = ['x', 'translate', '--from', 'gateway-api', '--to', to, '-o', 'json', '-f', '-'];
  const child = spawn(await buildEgctl(), args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: LIMIT_MS });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (err += text));
  child.stdin.on('error', () => {});
  child.stdin.end(stream);
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`egctl ended with ${code}: ${err.trim()}`);
  return out;
}
