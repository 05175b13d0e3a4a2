// A plan as people and as programs read it: which rule is native, which is asked, and why. No I/O.
import { formatDuration } from '../config/duration.ts';
import type { Plan, PlannedRule } from '../generate/plan.ts';
import { matchText } from './rule-text.ts';
import { table } from './table.ts';

/** One rule a block: its match, what Envoy decides by itself, what is asked, what of that is remembered. */
export function planText(plan: Plan): string {
  const rules = plan.rules.flatMap((rule) => [
    [rule.name, matchText(rule.match), 'native', rule.native ?? '-'],
    ['', '', 'asked', rule.asked ?? '-'],
    ...remembered(rule, plan),
  ]);
  return `${[summary(plan), '', ...table(rules)].join('\n')}\n`;
}

function remembered({ remembered }: PlannedRule, { edgeCache }: Plan): string[][] {
  if (!remembered || !edgeCache) return [];
  const ttl = formatDuration(edgeCache.ttlMs);
  return [
    ['', '', 'remembered', `a yes to a session or an opaque token, by Envoy, for ${ttl} at most (cache.edge_ttl)`],
  ];
}

function summary({ rules, authorizer, edgeCache }: Plan): string {
  if (!authorizer) return 'Envoy gives every verdict by itself, and every no in words of its own:';
  const count = (is: (rule: PlannedRule) => boolean) => rules.filter(is).length;
  const never = count(({ asked }) => asked === undefined);
  const both = count(({ native, asked }) => native !== undefined && asked !== undefined);
  const always = count(({ native }) => native === undefined);
  return `Of ${rules.length} rules ${never} never ask the authorizer, ${both} ask it where Envoy has no yes, ${always} ask it about everything${edgeCache ? ', but for a yes that Envoy remembers' : ''}:`;
}

export function planJson({ rules, authorizer, edgeCache }: Plan): object {
  return {
    authorizer,
    rules: rules.map((rule) => ({
      name: rule.name,
      match: matchText(rule.match),
      native: rule.native ?? null,
      asked: rule.asked ?? null,
      remembered_for_ms: rule.remembered && edgeCache ? edgeCache.ttlMs : 0,
    })),
  };
}
