// The application and the Kratos of a run, as processes on the cores of the rest. Starts programs.
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../conformance/ports.ts';
import type { FoundEnvoy } from '../../src/edge/find.ts';
import { type RunningEnvoy, startEnvoy } from '../../src/edge/run.ts';
import { pin, type Started, startOn } from '../load/process.ts';
import { applicationBootstrap } from './application.ts';
import type { Issuer } from './issuer.ts';

const KRATOS = fileURLToPath(new URL('kratos.ts', import.meta.url));

export async function startApplication(envoy: FoundEnvoy, cores: string): Promise<RunningEnvoy> {
  const running = await startEnvoy({ path: envoy.path, config: applicationBootstrap(), concurrency: 1 });
  await pin(running.pid, cores);
  return running;
}

export interface Kratos {
  readonly url: string;
  readonly process: Started;
  /** How often whoami was asked since it began. */
  whoamis(): Promise<number>;
}

export async function startKratos(cores: string, delayMs: number, issuer: Issuer): Promise<Kratos> {
  const [port = 0] = await freePorts(1);
  const args = [KRATOS, String(port), String(delayMs), issuer.jwks];
  const started = await startOn(cores, process.execPath, args, (output) => output.includes('ready\n'));
  const url = `http://127.0.0.1:${port}`;
  return { url, process: started, whoamis: async () => Number(await (await fetch(`${url}/count`)).text()) };
}
