// What one case came to on one target: as expected, or in what it differs, and whether that lets somebody in. No I/O.
import type { Case, HeaderLine } from '../../src/cli/cases/case.ts';
import { compare, type Outcome, type SeenVerdict, statusesOf } from '../../src/cli/cases/verdict.ts';

export type Cell =
  /** `words`: of a denial, whether the authorizer's answer came, or one of the gateway's own. */
  | { readonly kind: 'pass'; readonly words: 'ours' | 'own' }
  | {
      readonly kind: 'differs';
      readonly how: string;
      /** Whether the application was told more than the policy allows: a request, or an identity. */
      readonly lenient: boolean;
    };

interface Standard {
  /** What the engine says of it; undefined where the case is one that only an edge can judge. */
  readonly engine: SeenVerdict | undefined;
  /** The status is one of the generated Envoy's own, which others need not have. */
  readonly anyStatus: boolean;
}

export function cellOf(one: Case, found: Outcome, { engine, anyStatus }: Standard): Cell {
  if (found.kind === 'unjudged') return { kind: 'differs', how: found.problem, lenient: false };
  const expected = expectedStatus(one);
  const passed = found.status === 200;
  if (expected === 200 && !passed) return { kind: 'differs', how: `refused: ${told(found)}`, lenient: false };
  if (expected !== 200 && passed) return { kind: 'differs', how: 'it passed', lenient: true };
  if (passed) return yes(one, found, engine);
  return anyStatus ? { kind: 'pass', words: 'own' } : no(one, found, expected);
}

/** The identity is exactly the one that the engine gives; where there is no engine to ask, what the case says of it. */
function yes(one: Case, found: SeenVerdict, engine: SeenVerdict | undefined): Cell {
  const pass = { kind: 'pass', words: 'ours' } as const;
  if (engine === undefined) {
    const { differences } = compare(one.expect, found);
    if (differences.length === 0) return pass;
    const how = differences.map(({ of, expected, found: is }) => `${of}: ${is}, not ${expected}`).join('; ');
    return { kind: 'differs', how, lenient: differences.some(({ expected }) => expected === 'not there') };
  }
  const got = sorted(found.headers?.lines ?? []);
  const wanted = sorted(engine.headers?.lines ?? []);
  if (wanted.join('\n') === got.join('\n')) return pass;
  const how = `its identity is ${got.join(', ') || 'nobody'}, not ${wanted.join(', ') || 'nobody'}`;
  return { kind: 'differs', how, lenient: got.some((line) => !wanted.includes(line)) };
}

function no(one: Case, found: SeenVerdict, expected: number): Cell {
  const ours = found.note === undefined;
  // Whoever is told 401 in an outage throws a good session away.
  if (!ours && expected === 503 && found.status < 500)
    return { kind: 'differs', how: `an outage: ${told(found)}`, lenient: false };
  if (!ours) return { kind: 'pass', words: 'own' };
  const { differences } = compare(one.expect, found);
  if (differences.length === 0) return { kind: 'pass', words: 'ours' };
  return {
    kind: 'differs',
    how: differences.map((one) => `${one.of}: ${one.found}, not ${one.expected}`).join('; '),
    lenient: false,
  };
}

function expectedStatus({ name, expect: { status, reason } }: Case): number {
  const [implied] = reason === undefined ? [] : statusesOf(reason);
  const expected = status ?? implied;
  if (expected === undefined) throw new Error(`the case "${name}" says neither status nor reason`);
  return expected;
}

function told({ status, reason, note }: SeenVerdict): string {
  return note ?? [status, reason].filter((part) => part !== undefined).join(' ');
}

function sorted(lines: readonly HeaderLine[]): string[] {
  return lines.map(([name, value]) => `${name.toLowerCase()}: ${value}`).sort();
}
