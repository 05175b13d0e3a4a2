// What a run has compared: by whom and why each verdict was given, for which rules and which credentials. No I/O.
import { DENIALS, type Reason } from '../../src/check/reason.ts';
import type { Config, Rule } from '../../src/config/config.ts';
import type { By, Compared } from './compare.ts';
import type { Request } from './request.ts';

export class Tally {
  total = 0;
  readonly reasons = new Map<string, number>();
  /** Listed differences that were seen. */
  readonly listed = new Map<string, number>();
  readonly credentials = new Map<string, number>();
  /** By the kind of the rule that applied, and by who gave the verdict. */
  readonly rules = new Map<string, Map<By, number>>();
  /** Yeses of the authorizer that were asked for again, by who gave them then. */
  readonly again = new Map<string, number>();

  count(config: Config, { credentials }: Request, { reason, by, engine, listed, again }: Compared): void {
    this.total++;
    add(this.reasons, reason);
    add(this.credentials, credentials);
    const kind = kindOf(config.rules.find(({ name }) => name === engine.rule));
    if (listed !== undefined) add(this.listed, listed);
    if (again !== undefined) add(this.again, again);
    const counts = this.rules.get(kind) ?? new Map<By, number>();
    this.rules.set(kind, counts);
    add(counts, by);
  }

  by(by: By): number {
    return [...this.rules.values()].reduce((sum, counts) => sum + (counts.get(by) ?? 0), 0);
  }

  /** Reasons that were never given: a run that misses one proves nothing of it. */
  missing(): Reason[] {
    return REASONS.filter((reason) => !this.reasons.has(reason));
  }
}

const REASONS: readonly Reason[] = ['session', 'token', 'anonymous', ...(Object.keys(DENIALS) as Reason[])];

function add<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function kindOf(rule: Rule | undefined): string {
  if (!rule) return 'no rule';
  const { access } = rule;
  if (access.kind !== 'require') return access.kind;
  return access.anyOf.length > 1 ? 'any_of' : (access.anyOf[0]?.kind ?? 'nothing');
}
