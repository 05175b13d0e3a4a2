// One of Envoy's own counters, from its admin port.
import type { RunningEnvoy } from '../../../src/edge/run.ts';

/** 0 for a counter that was never counted. @throws where there is none of this name */
export async function counter({ adminUrl }: Pick<RunningEnvoy, 'adminUrl'>, name: string): Promise<number> {
  const text = await (await fetch(`${adminUrl}/stats?filter=^${name.replaceAll('.', '\\.')}$`)).text();
  const [, value] = /: (\d+)\n/.exec(text) ?? [];
  if (value === undefined) throw new Error(`Envoy has no counter ${name}: ${text}`);
  return Number(value);
}
