// One policy with its cases on one target: a cell for each case. Starts the target, sends the requests.
import { readFileSync } from 'node:fs';
import { stringify } from 'yaml';
import type { Case } from '../../src/cli/cases/case.ts';
import { createJudgeAt } from '../../src/cli/cases/edge.ts';
import { createEngine } from '../../src/cli/cases/engine.ts';
import { parseCases } from '../../src/cli/cases/load.ts';
import { compare, type SeenVerdict } from '../../src/cli/cases/verdict.ts';
import type { Config, Rule } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/load.ts';
import { freePorts } from '../ports.ts';
import type { RunningBacking } from './backing.ts';
import { type Cell, cellOf } from './cell.ts';
import { Refused } from './generated.ts';
import { readTargetAnswer } from './read.ts';
import type { Column, Sheet } from './table.ts';
import type { StartTarget, TargetEdge } from './target.ts';

/** A case, and what the engine says of it. */
interface Expected {
  readonly case: Case;
  /** Undefined where only an edge can judge it. */
  readonly engine: SeenVerdict | undefined;
  /** That it meets, as the engine finds it. */
  readonly rule: Rule | undefined;
}

export interface Prepared {
  readonly config: Config;
  readonly expected: readonly Expected[];
}

/** @throws where the engine itself does not say what the cases expect */
export async function prepare(
  { cases, env, edgeAlone, only = () => true }: Sheet,
  backing: RunningBacking,
): Promise<Prepared> {
  const config = parseConfig(stringify(backing.policy), backing.file);
  const read = parseCases(readFileSync(cases, 'utf8'), cases, config, (await env?.(backing)) ?? {});
  const engine = await createEngine(config, Date.now());
  const expected: Expected[] = [];
  for (const one of read.filter(only)) {
    const verdict = await engine.judge(one);
    if (verdict.kind === 'unjudged') throw new Error(`${one.name}: ${verdict.problem}`);
    const wrong = edgeAlone ? [] : compare(one.expect, verdict).differences;
    if (wrong.length > 0) throw new Error(`the engine, "${one.name}": ${JSON.stringify(wrong)}`);
    const name = verdict.rule.kind === 'rule' ? verdict.rule.name : undefined;
    const rule = config.rules.find((known) => known.name === name);
    expected.push({ case: one, engine: edgeAlone ? undefined : verdict, rule });
  }
  return { config, expected };
}

/** What a case came to; or `generate` has refused its rule, or the whole policy, and said why. */
export type Found = Cell | { readonly kind: 'refused'; readonly why: string };

/** In the order of the cases. */
export async function runColumn(
  column: Column,
  sheet: Sheet,
  prepared: Prepared,
  backing: RunningBacking,
): Promise<readonly Found[]> {
  const start = startOf(column, sheet);
  let refused: ReadonlyMap<string, string> = new Map();
  let edge: TargetEdge;
  try {
    edge = await start(backing, await freePort());
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    refused = rulesInTheWay(error.message);
    const rest = rulesOf(backing.policy).filter(({ name }) => !refused.has(name));
    if (refused.size === 0 || rest.length === 0)
      return prepared.expected.map(() => ({ kind: 'refused', why: error.message }));
    // What the target can express it must do: requests that meet another rule come to the same without these.
    edge = await start({ ...backing, policy: { ...backing.policy, rules: rest } }, await freePort());
  }
  const judge = createJudgeAt(new URL(edge.url), prepared.config, Date.now(), readTargetAnswer);
  const anyStatus = sheet.withoutAuthorizer === true && column.startAlone === undefined;
  try {
    if (sheet.deciderAway) await edge.endDecider?.();
    const found: Found[] = [];
    for (const { case: one, engine, rule } of prepared.expected) {
      const why = rule && refused.get(rule.name);
      found.push(
        why === undefined ? cellOf(one, await judge.judge(one), { engine, anyStatus }) : { kind: 'refused', why },
      );
    }
    return found;
  } finally {
    await judge.close();
    await edge.close();
  }
}

/** By the name of the rule, as the refusal lists them: `  orders: token.claims: why`. */
function rulesInTheWay(message: string): ReadonlyMap<string, string> {
  const all = new Map<string, string>();
  for (const [, name = '', why = ''] of message.matchAll(/^ {2}([a-z0-9-]+): (.*)$/gm))
    all.set(name, [...(all.has(name) ? [all.get(name)] : []), why].join('; '));
  return all;
}

function rulesOf({ rules }: RunningBacking['policy']): readonly { readonly name: string }[] {
  return (rules as readonly { readonly name: string }[] | undefined) ?? [];
}

async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

function startOf({ start, startAlone }: Column, { withoutAuthorizer }: Sheet): StartTarget {
  return withoutAuthorizer && startAlone ? startAlone : start;
}
