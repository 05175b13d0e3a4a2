// What a case came to, whoever judged it, and how that differs from what was expected. No I/O.
import { DENIALS } from '../../check/reason.ts';
import type { HeaderLine } from './case.ts';
import type { Expectation } from './schema.ts';

/** The rule that decided, as far as it can be seen. */
export type SeenRule =
  | { readonly kind: 'unseen' }
  | { readonly kind: 'none' }
  | { readonly kind: 'rule'; readonly name: string };

/** What was seen of a verdict; undefined is what cannot be seen from where it was judged. */
export interface SeenVerdict {
  readonly kind: 'verdict';
  /** 200 stands for: passed to the application. */
  readonly status: number;
  readonly reason: string | undefined;
  readonly rule: SeenRule;
  readonly headers: SeenHeaders | undefined;
  /** What else is worth knowing, in a sentence. */
  readonly note?: string;
}

export interface SeenHeaders {
  /** Of a yes, as configured: those alone may be asked about. Undefined of a no: every header of the answer may. */
  readonly identity: readonly string[] | undefined;
  /** Names in lower case; values as they go over the wire. */
  readonly lines: readonly HeaderLine[];
}

/** A case that nobody could judge has failed. */
export type Outcome = SeenVerdict | { readonly kind: 'unjudged'; readonly problem: string };

interface Difference {
  /** As the file names it: `status`, `headers.Location`. */
  readonly of: string;
  readonly expected: string;
  readonly found: string;
}

export interface Comparison {
  readonly differences: readonly Difference[];
  /** How much could be seen of what was expected. */
  readonly compared: number;
  /** What was expected and cannot be seen. */
  readonly notCompared: readonly string[];
}

export function compare(expect: Expectation, seen: SeenVerdict): Comparison {
  const differences: Difference[] = [];
  const notCompared: string[] = [];
  let compared = 0;
  const look = (of: string, expected: string | undefined, found: string | undefined) => {
    if (expected === undefined) return;
    if (found === undefined) {
      notCompared.push(of);
      return;
    }
    compared++;
    if (found !== expected) differences.push({ of, expected, found });
  };
  look('status', text(expect.status) ?? impliedStatus(expect, seen), text(seen.status));
  look('reason', expect.reason, seen.reason);
  look('rule', expect.rule === null ? 'none' : expect.rule, ruleText(seen.rule));
  for (const [name, value] of Object.entries(expect.headers ?? {})) {
    const lines = value === null ? [] : [value].flat();
    look(`headers.${name}`, headerText(lines), seen.headers && foundHeader(name, seen.headers));
  }
  return { differences, compared, notCompared };
}

function ruleText(rule: SeenRule): string | undefined {
  if (rule.kind === 'unseen') return undefined;
  return rule.kind === 'rule' ? rule.name : 'none';
}

/** What an expected reason says of the status, where the reason itself cannot be seen. */
function impliedStatus({ reason }: Expectation, seen: SeenVerdict): string | undefined {
  if (reason === undefined || seen.reason !== undefined) return undefined;
  const statuses = statusesOf(reason);
  return statuses.includes(seen.status) ? text(seen.status) : `${statuses.join(' or ')}, by its reason`;
}

/** Those that a reason comes with. */
export function statusesOf(reason: NonNullable<Expectation['reason']>): readonly number[] {
  if (reason === 'session' || reason === 'token' || reason === 'anonymous') return [200];
  if (reason === 'authorizer_unreachable') return [503];
  const { status } = DENIALS[reason];
  return status === 401 || reason === 'aal_insufficient' || reason === 'session_too_old' ? [status, 302] : [status];
}

function foundHeader(name: string, { identity, lines }: SeenHeaders): string {
  const lower = name.toLowerCase();
  if (identity && !identity.some((known) => known.toLowerCase() === lower))
    return `it passed, and this is no identity header: the application gets ${identity.join(', ')}`;
  return headerText(lines.filter(([one]) => one === lower).map(([, value]) => value));
}

/** Quoted, so that nothing is mistaken for a value. */
function headerText(values: readonly string[]): string {
  return values.length === 0 ? 'not there' : values.map((value) => JSON.stringify(value)).join(' and ');
}

function text(value: number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}
