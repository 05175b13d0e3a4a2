// What a run of cases came to, for people and for programs. No I/O.
import { DENIALS, type DenyReason } from '../../check/reason.ts';
import type { Config, Rule } from '../../config/config.ts';
import { accessText, matchText } from '../rule-text.ts';
import { table } from '../table.ts';
import type { Case } from './case.ts';
import { type Comparison, compare, type Outcome, type SeenRule, type SeenVerdict } from './verdict.ts';

export interface CaseResult {
  readonly case: Case;
  readonly outcome: Outcome;
  readonly comparison: Comparison;
  readonly ok: boolean;
}

export function resultOf(one: Case, outcome: Outcome): CaseResult {
  if (outcome.kind === 'unjudged') return unjudged(one, outcome);
  const comparison = compare(one.expect, outcome);
  if (comparison.compared === 0) return unjudged(one, { kind: 'unjudged', problem: NOTHING_SEEN });
  return { case: one, outcome, comparison, ok: comparison.differences.length === 0 };
}

const NOTHING_SEEN = 'nothing that it expects can be seen from outside: give expect.status as well';

function unjudged(one: Case, outcome: Outcome): CaseResult {
  return { case: one, outcome, comparison: { differences: [], compared: 0, notCompared: [] }, ok: false };
}

export interface Run {
  readonly file: string;
  readonly config: Config;
  /** Undefined: the engine. */
  readonly edge: string | undefined;
  readonly results: readonly CaseResult[];
}

/** For a terminal; without one, as it is. */
export type Paint = (style: 'ok' | 'failed' | 'dim', text: string) => string;

export function runText(run: Run, paint: Paint): string {
  const { file, config, edge, results } = run;
  const width = Math.max(...results.map(({ case: { name } }) => name.length));
  const lines = results.flatMap((result) => [
    `  ${result.ok ? paint('ok', 'ok  ') : paint('failed', 'FAIL')}  ${result.case.name.padEnd(width)}  ${paint('dim', happened(result.outcome))}`.trimEnd(),
    ...(result.ok ? [] : details(result, file, config)).map((line) => `      ${line}`),
  ]);
  return [`${file}, judged by ${edge ?? 'the engine'}`, '', ...lines, '', ...summary(run, paint), ''].join('\n');
}

/** What became of the request, in a few words. */
function happened(outcome: Outcome): string {
  if (outcome.kind === 'unjudged') return 'not judged';
  const { status, reason, rule } = outcome;
  const what = [String(status), reason].filter((part) => part !== undefined).join(' ');
  if (rule.kind === 'unseen') return what;
  return rule.kind === 'rule' ? `${what}, rule ${rule.name}` : `${what}, no rule`;
}

function details({ case: one, outcome, comparison }: CaseResult, file: string, config: Config): string[] {
  const rows: [string, string][] = [['case', `${file}:${one.line}`]];
  rows.push(['request', `${one.request.method} ${one.request.url}${credentialText(one)}`]);
  if (outcome.kind === 'unjudged') rows.push(['problem', outcome.problem]);
  for (const { of, expected, found } of comparison.differences) {
    rows.push([of, `expected ${expected}`], ['', `found    ${found}`]);
  }
  if (outcome.kind === 'verdict') rows.push(...whyRows(one, outcome, config));
  return table(rows);
}

/** Which rule was hit and what it asks, and the rule that was expected. */
function whyRows({ expect }: Case, { reason, rule, note }: SeenVerdict, { rules }: Config): [string, string][] {
  const rows: [string, string][] = [];
  if (reason !== undefined && Object.hasOwn(DENIALS, reason))
    rows.push(['because', DENIALS[reason as DenyReason].title.toLowerCase()]);
  if (note !== undefined) rows.push(['note', note]);
  const names = new Set([nameOf(rule), expect.rule]);
  for (const one of rules.filter(({ name }) => names.has(name))) rows.push([`rule ${one.name}`, ruleText(one)]);
  return rows;
}

function nameOf(rule: SeenRule): string | undefined {
  return rule.kind === 'rule' ? rule.name : undefined;
}

function ruleText(rule: Rule): string {
  return `${matchText(rule)}: ${accessText(rule.access)}`;
}

function credentialText({ credential }: Case): string {
  const kinds = [
    ...(credential?.session ? [`a session${credential.session_as ? ` as ${credential.session_as}` : ''}`] : []),
    ...(credential?.token ? [`a token${credential.token_as ? ` as ${credential.token_as}` : ''}`] : []),
  ];
  return kinds.length === 0 ? '' : ` with ${kinds.join(' and ')}`;
}

function summary({ results, config }: Run, paint: Paint): string[] {
  const failed = results.filter(({ ok }) => !ok).length;
  const count = `${results.length} ${results.length === 1 ? 'case' : 'cases'}`;
  const unseen = new Map<string, number>();
  for (const of of results.flatMap(({ comparison }) => comparison.notCompared))
    unseen.set(kindOf(of), (unseen.get(kindOf(of)) ?? 0) + 1);
  const notCompared = [...unseen].map(([kind, times]) => `${kind} ${times} ${times === 1 ? 'time' : 'times'}`);
  const notReached = rulesNotReached(results, config);
  return [
    failed === 0 ? paint('ok', `${count}, all as expected`) : paint('failed', `${count}, ${failed} not as expected`),
    ...(notCompared.length === 0
      ? []
      : [`not compared, because it cannot be seen from outside: ${notCompared.join(', ')}`]),
    ...(notReached?.length ? [`rules that no case reaches: ${notReached.join(', ')}`] : []),
  ];
}

/** Undefined where rules cannot be seen. */
function rulesNotReached(results: readonly CaseResult[], { rules }: Config): readonly string[] | undefined {
  const seen = results.flatMap(({ outcome }) => (outcome.kind === 'verdict' ? [outcome.rule] : []));
  if (seen.every(({ kind }) => kind === 'unseen')) return undefined;
  const reached = new Set(seen.map(nameOf));
  return rules.map(({ name }) => name).filter((name) => !reached.has(name));
}

function kindOf(of: string): string {
  return of.startsWith('headers.') ? 'headers' : of;
}

/** One object; `rule` is null where none was reached, and what could not be seen is left out. */
export function runJson({ file, config, edge, results }: Run): object {
  const failed = results.filter(({ ok }) => !ok).length;
  return {
    ok: failed === 0,
    file,
    judged_by: edge ?? 'engine',
    passed: results.length - failed,
    failed,
    rules_not_reached: rulesNotReached(results, config),
    cases: results.map(({ case: one, outcome, comparison, ok }) => ({
      name: one.name,
      line: one.line,
      ok,
      request: { method: one.request.method, url: one.request.url },
      ...(outcome.kind === 'unjudged' ? { problem: outcome.problem } : seenJson(outcome)),
      differences: comparison.differences,
      not_compared: comparison.notCompared,
    })),
  };
}

function seenJson({ status, reason, rule, headers, note }: SeenVerdict): object {
  return {
    status,
    reason,
    rule: rule.kind === 'none' ? null : nameOf(rule),
    ...(headers?.identity ? { identity_headers: Object.fromEntries(headers.lines) } : {}),
    ...(note === undefined ? {} : { note }),
  };
}
