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

/** `refused`: what `generate` said where the target cannot express the policy. */
export type Ran =
  | { readonly kind: 'ran'; readonly cells: readonly Cell[] }
  | { readonly kind: 'refused'; readonly why: string };

export async function runColumn(
  column: Column,
  sheet: Sheet,
  prepared: Prepared,
  backing: RunningBacking,
): Promise<Ran> {
  const [port = 0] = await freePorts(1);
  let edge: TargetEdge;
  try {
    edge = await startOf(column, sheet)(backing, port);
  } catch (error) {
    if (error instanceof Refused) return { kind: 'refused', why: error.message };
    throw error;
  }
  const judge = createJudgeAt(new URL(edge.url), prepared.config, Date.now(), readTargetAnswer);
  try {
    const cells: Cell[] = [];
    const anyStatus = sheet.withoutAuthorizer === true && column.startAlone === undefined;
    for (const { case: one, engine } of prepared.expected)
      cells.push(cellOf(one, await judge.judge(one), { engine, anyStatus }));
    return { kind: 'ran', cells };
  } finally {
    await judge.close();
    await edge.close();
  }
}

function startOf({ start, startAlone }: Column, { withoutAuthorizer }: Sheet): StartTarget {
  return withoutAuthorizer && startAlone ? startAlone : start;
}
