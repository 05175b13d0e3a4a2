// First match wins; no match is a denial. No I/O.
import type { Rule } from '../../config/config.ts';
import { hostMatches, pathMatches } from '../../config/pattern.ts';
import type { Target } from '../request/normalise.ts';

/** The first rule that matches, in the order of the file. */
export function findRule(rules: readonly Rule[], target: Target): Rule | undefined {
  const segments = target.path.slice(1).split('/');
  for (const rule of rules) {
    if (!pathMatches(rule.path, segments)) continue;
    if (rule.host && !hostMatches(rule.host, target.host)) continue;
    if (rule.methods && !rule.methods.includes(target.method)) continue;
    return rule;
  }
  return undefined;
}
