// Keys of the design that are parsed and not built yet. They are refused, never ignored. No I/O.
import type { Fault } from './fault.ts';
import type { ConfigFile, RuleEntry } from './schema.ts';

type Path = readonly (string | number)[];

/** One fault for each key that is given and not built. */
export function* unsupportedKeys(file: ConfigFile): Generator<Fault> {
  if (file.cache.redis !== undefined) yield unsupported(['cache', 'redis']);
  if (file.edge.mcp !== undefined) yield unsupported(['edge', 'mcp']);
  for (const [i, rule] of (file.rules ?? []).entries()) yield* unsupportedRuleKeys(rule, ['rules', i]);
}

function* unsupportedRuleKeys(rule: RuleEntry, path: Path): Generator<Fault> {
  if (rule.match.mcp) yield unsupported([...path, 'match', 'mcp']);
}

function unsupported(path: Path): Fault {
  return { path, atKey: true, problem: 'not supported yet', fix: 'Take it out: a rule is never enforced in part' };
}
