// From the command to the first answer: `serve` until it is ready, `up` until the edge is up. Starts programs.
import { spawn } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../../conformance/ports.ts';
import { isReady } from '../contender/asked.ts';
import type { Surroundings } from '../contender/contender.ts';
import { policyOf } from '../contender/policy.ts';
import { type Series, seriesOf } from '../report/statistics.ts';

export interface StartResult {
  /** Seconds. */
  readonly serve: Series;
  readonly up: Series;
}

const LIMIT_MS = 60_000;

export async function start(surroundings: Surroundings, rounds: number): Promise<StartResult> {
  const times = { serve: [] as number[], up: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    times.serve.push(await timeOf(surroundings, 'serve'));
    times.up.push(await timeOf(surroundings, 'up'));
  }
  return { serve: seriesOf(times.serve), up: seriesOf(times.up) };
}

async function timeOf(surroundings: Surroundings, command: 'serve' | 'up'): Promise<number> {
  const [http = 0, grpc = 0, admin = 0] = await freePorts(3);
  const { text } = policyOf(surroundings, { credential: 'cookie', edgeTtl: '30s', ports: { http, grpc, admin } });
  const file = join(await mkdtemp(join(surroundings.folder, `${command}-`)), 'ory-envoy.yaml');
  await writeFile(file, text);
  const started = performance.now();
  const child = spawn(process.execPath, [surroundings.program, command, '-c', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ENVOY_PATH: surroundings.envoy.path },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const isUp = () => (command === 'serve' ? isReady(admin) : /The \w+ is up/.test(output));
  try {
    while (!(await isUp())) {
      if (child.exitCode !== null || performance.now() - started > LIMIT_MS)
        throw new Error(`${command} did not start: ${output}`);
      await delay(2);
    }
    return (performance.now() - started) / 1_000;
  } finally {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await gone;
    clearTimeout(timer);
  }
}
