// What a running Envoy says in its statistics about the configuration that it has. Asks Envoy's admin port.

export interface Stats {
  /** Counters and gauges; 0 where there is none of that name. */
  number(name: string): number;
  /** Texts, such as versions; empty where there is none of that name. */
  text(name: string): string;
  /** How often what was discovered under this prefix was not taken. */
  refusals(prefix: string): number;
}

const TIMEOUT_MS = 5_000;

/** The statistics whose names the expression matches. @throws where Envoy does not answer. */
export async function readStats(adminUrl: string, filter: string, timeoutMs = TIMEOUT_MS): Promise<Stats> {
  const url = `${adminUrl}/stats?format=json&filter=${encodeURIComponent(filter)}`;
  const answer = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  const { stats = [] } = (await answer.json()) as { stats?: readonly { name?: string; value?: unknown }[] };
  const values = new Map(stats.map(({ name, value }) => [name, value]));
  const number = (name: string) => Number(values.get(name) ?? 0);
  return {
    number,
    refusals: (prefix) => number(`${prefix}.update_rejected`) + number(`${prefix}.update_failure`),
    text: (name) => String(values.get(name) ?? ''),
  };
}
