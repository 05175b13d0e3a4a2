// What one more session costs in memory that the system has given: of Envoy with the edge cache, and of the authorizer.
// Starts programs.

import type { Surroundings } from '../contender/contender.ts';
import { contendersOf } from '../contender/contenders.ts';
import { askAll, urlOf } from '../contender/verify.ts';
import { residentBytes } from '../load/process.ts';
import { rounded } from '../report/statistics.ts';
import { COOKIE, cookieOf, sessionTokenOf } from '../stand-in/credentials.ts';
import type { Kratos } from '../stand-in/processes.ts';
import { startField } from './field.ts';

export interface MemoryRow {
  readonly credential: 'session cookie' | 'session token';
  readonly characters: number;
  readonly sessions: number;
  /** Of an Envoy that remembers, beyond one that went through the same without remembering. */
  readonly edgeCacheBytes: number;
  readonly envoyMiB: { readonly before: number; readonly after: number; readonly withoutEdgeCache: number };
  /** Of the authorizer's process, whatever of it is garbage. */
  readonly authorizerBytes: number;
  readonly authorizerMiB: { readonly before: number; readonly after: number };
}

export interface MemoryOptions {
  readonly sessions: number;
  /** Sessions that have been there before the count begins, so that a process has its working size. */
  readonly before: number;
}

const KINDS = [
  { credential: 'session cookie', secretOf: cookieOf, line: (value: string) => `Cookie: ${COOKIE}=${value}` },
  { credential: 'session token', secretOf: sessionTokenOf, line: (value: string) => `X-Session-Token: ${value}` },
] as const;

export async function memory(
  surroundings: Surroundings,
  kratos: Kratos,
  { sessions, before }: MemoryOptions,
): Promise<readonly MemoryRow[]> {
  const rows: MemoryRow[] = [];
  for (const { credential, secretOf, line } of KINDS) {
    // Fresh processes: what one has freed could hide what the next needs.
    const field = await startField(surroundings, kratos, contendersOf(['edge-cache', 'authorizer-http']));
    try {
      const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => line(secretOf(from + i)));
      const measured: { readonly envoy: readonly [number, number]; readonly authorizer: readonly [number, number] }[] =
        [];
      for (const { running } of field.entries) {
        const url = urlOf(running);
        const sizes = () => [running.envoy.pid, running.authorizer?.pid ?? 0].map(residentBytes);
        await askAll(url, lines(0, before));
        const [envoyBefore = 0, authorizerBefore = 0] = sizes();
        await askAll(url, lines(before, before + sessions));
        const [envoyAfter = 0, authorizerAfter = 0] = sizes();
        measured.push({ envoy: [envoyBefore, envoyAfter], authorizer: [authorizerBefore, authorizerAfter] });
      }
      const [remembering, asking] = measured;
      if (!remembering || !asking) throw new Error('both were to be measured');
      const grown = ([from, to]: readonly [number, number]) => to - from;
      const mebibytes = (bytes: number) => rounded(bytes / 1_048_576);
      rows.push({
        credential,
        characters: secretOf(before).length,
        sessions,
        edgeCacheBytes: Math.round((grown(remembering.envoy) - grown(asking.envoy)) / sessions),
        envoyMiB: {
          before: mebibytes(remembering.envoy[0]),
          after: mebibytes(remembering.envoy[1]),
          withoutEdgeCache: mebibytes(asking.envoy[1]),
        },
        authorizerBytes: Math.round(grown(remembering.authorizer) / sessions),
        authorizerMiB: { before: mebibytes(remembering.authorizer[0]), after: mebibytes(remembering.authorizer[1]) },
      });
    } finally {
      await field.close();
    }
  }
  return rows;
}
