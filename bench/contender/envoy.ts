// The Envoy of a contender, on its core. Starts a program.
import { type RunningEnvoy, startEnvoy } from '../../src/edge/run.ts';
import { pin } from '../load/process.ts';
import type { Surroundings } from './contender.ts';
import type { Frame } from './frame.ts';

/** Worker threads of every Envoy: one, for the one core that it has. */
export const CONCURRENCY = 1;

export async function startFrame({ envoy, cores }: Surroundings, { bootstrap }: Frame): Promise<RunningEnvoy> {
  const running = await startEnvoy({
    path: envoy.path,
    config: JSON.stringify(bootstrap),
    concurrency: CONCURRENCY,
  });
  await pin(running.pid, cores.envoy);
  return running;
}
