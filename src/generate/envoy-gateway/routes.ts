// The HTTPRoutes: what is refused whatever the rule, then one rule of an HTTPRoute for each rule of the file. No I/O.
import type { Config } from '../../config/config.ts';
import { everySpelling } from '../envoy/header-stripping.ts';
import type { EdgeReason } from '../envoy/local-replies.ts';
import { GenerateError } from '../generate-error.ts';
import type { Manifest } from '../kubernetes/manifest.ts';
import { Names } from '../kubernetes/names.ts';
import type { Plan, PlannedRule } from '../plan.ts';
import { type Block, COMMENT, type Value } from '../yaml.ts';
import { EXTENSION_GROUP, GATEWAY_API, gatewayRef, NAME, POLICY_FILE } from './kinds.ts';
import { askedMatch, isGatewayMethod, matchBlocks, nativeMatch, type RouteMatch } from './matches.ts';
import { PLAIN_PATH } from './plain-path.ts';
import { inOrder, padded, type Ranked } from './precedence.ts';
import { refusalFilter } from './refusals.ts';

/** One rule of an HTTPRoute. */
export interface Passage {
  /** The HTTPRoute that it stands in. */
  readonly route: string;
  /** Its name there. */
  readonly section: string;
  readonly comment: string;
  readonly matches: readonly RouteMatch[];
  readonly to:
    | { readonly kind: 'upstream'; readonly name: string }
    | { readonly kind: 'refused'; readonly as: EdgeReason };
  /** The rule that is judged natively here; undefined for whatever else. */
  readonly rule: PlannedRule | undefined;
  /** Nobody is asked about it, and everybody gets the same answer. */
  readonly open: boolean;
}

/** Of an HTTPRoute (Gateway API). */
const MAX_RULES = 16;
const MAX_MATCHES = 128;

/** Paths of what is refused first are made longer than any other, in steps: a change of a rule is not theirs. */
const STEP = 256;

export function passages(config: Config, plan: Plan): Passage[] {
  const sections = new Names();
  // Their names are given first, so that a rule of the same name has another.
  const refused = firstRefusals(plan).map((one) => ({ ...one, section: sections.give(one.section) }));
  const last = lastRefusals(plan).map((one) => ({ ...one, section: sections.give(one.section) }));
  const rules = plan.rules.flatMap((rule) => ruleDrafts(rule, plan, config, sections));
  const ordered = inOrder([...rules.map(({ ranked }) => ranked), ...last.map(lastRanked)]);
  const longest = Math.max(...ordered.map(({ value }) => value.length));
  const first = { type: 'RegularExpression', value: padded('/.*', STEP * Math.ceil((longest + 1) / STEP)) } as const;
  const drafts = [
    ...refused.map((draft) => withPath(draft, first)),
    ...rules.map(({ draft }, i) => withPath(draft, ordered[i])),
    ...last.map((draft, i) => withPath(draft, ordered[rules.length + i])),
  ];
  return split(drafts);
}

type Draft = Omit<Passage, 'route'>;

function firstRefusals({ identityHeaders }: Plan): Draft[] {
  const everything = { type: 'PathPrefix', value: '/' } as const;
  const named = identityHeaders.map(everySpelling).join('|');
  return [
    {
      section: 'refused',
      comment:
        'A WebSocket begins with GET: by OPTIONS it would pass for a preflight. And the Connection header of one reaches the\napplication, and must not name identity headers as hop-by-hop. What is behind the "|" of the path is never found: the\nlongest path comes first.',
      matches: [
        { path: everything, methods: ['OPTIONS'], headers: [{ name: 'Upgrade', value: '.*' }] },
        ...(named === ''
          ? []
          : [
              {
                path: everything,
                methods: undefined,
                headers: [{ name: 'Connection', value: `(?i).*(?:${named}).*` }],
              },
            ]),
      ],
      to: { kind: 'refused', as: 'no_rule' },
      rule: undefined,
      open: true,
    },
  ];
}

/** With an authorizer it gives the answer, and this is what would answer if it said yes. */
function lastRefusals({ authorizer }: Plan): Draft[] {
  const everything: RouteMatch = { path: { type: 'PathPrefix', value: '/' }, methods: undefined, headers: [] };
  if (authorizer) {
    const comment =
      'No rule, or a path with two readings: the authorizer denies, and this is what would answer if it did not.';
    return [
      {
        section: 'no-rule',
        comment,
        matches: [everything],
        to: { kind: 'refused', as: 'no_rule' },
        rule: undefined,
        open: false,
      },
    ];
  }
  const plain: RouteMatch = { ...everything, path: { type: 'RegularExpression', value: PLAIN_PATH } };
  return [
    {
      section: 'no-rule',
      comment: 'No rule.',
      matches: [plain],
      to: { kind: 'refused', as: 'no_rule' },
      rule: undefined,
      open: true,
    },
    {
      section: 'ambiguous',
      comment: 'A path that two readers could take differently.',
      matches: [everything],
      to: { kind: 'refused', as: 'path_ambiguous' },
      rule: undefined,
      open: true,
    },
  ];
}

function lastRanked({ section, matches: [match] }: Draft): Ranked {
  if (!match) throw new Error('a refusal matches nothing');
  return { name: section, match, region: undefined };
}

interface RuleDraft {
  readonly draft: Draft;
  readonly ranked: Ranked;
}

function ruleDrafts(rule: PlannedRule, { authorizer }: Plan, config: Config, sections: Names): RuleDraft[] {
  mustReachItsOwn(rule, config);
  const comment = `Rule ${rule.name}. ${ruleText(rule)}`;
  const section = sections.give(rule.name);
  if (rule.verdict.kind === 'asked') return [ruleDraft(rule, askedMatch(rule), { section, comment, native: false })];
  const native = ruleDraft(rule, nativeMatch(rule), { section, comment, native: true });
  if (rule.match.methods || !authorizer) return [native];
  const rest = { section: sections.give(`${rule.name}-rest`), native: false } as const;
  const why = `Rule ${rule.name}: methods that Gateway API does not know are asked about.`;
  return [native, ruleDraft(rule, askedMatch(rule), { ...rest, comment: why })];
}

function ruleDraft(
  rule: PlannedRule,
  match: RouteMatch,
  { section, comment, native }: Pick<Draft, 'section' | 'comment'> & { readonly native: boolean },
): RuleDraft {
  const { host, path } = rule.match;
  return {
    draft: {
      section,
      comment,
      matches: [match],
      to: { kind: 'upstream', name: rule.upstream },
      rule: native ? rule : undefined,
      open: native && rule.verdict.kind === 'open',
    },
    ranked: { name: rule.name, match, region: { host, path, methods: match.methods } },
  };
}

function ruleText({ native, asked }: PlannedRule): string {
  return [native && `By itself: ${native}.`, asked && `Asked: ${asked}.`].filter(Boolean).join(' ');
}

/** A rule that is asked about more than it matches would take the requests of others to its own upstream. */
function mustReachItsOwn({ name, match: { methods } }: PlannedRule, { edge }: Config): void {
  const method = methods?.find((one) => !isGatewayMethod(one));
  if (method !== undefined && edge.upstreams.size > 1)
    throw new GenerateError(
      `rule ${name}: match.methods: an HTTPRoute cannot name ${method}, so that requests of other methods would go to this rule’s upstream. Take the method out, or have one upstream.`,
    );
}

function withPath(draft: Draft, path: RouteMatch['path'] | undefined): Draft {
  return path ? { ...draft, matches: draft.matches.map((match) => ({ ...match, path })) } : draft;
}

/** An HTTPRoute holds so many; which one it is has no meaning, since the order is in the paths. */
function split(drafts: readonly Draft[]): Passage[] {
  const all: Passage[] = [];
  let route = NAME;
  let rules = 0;
  let matches = 0;
  let number = 1;
  for (const draft of drafts) {
    const count = draft.matches.flatMap(matchBlocks).length;
    if (rules === MAX_RULES || matches + count >= MAX_MATCHES) {
      number++;
      route = `${NAME}-${number}`;
      rules = 0;
      matches = 0;
    }
    rules++;
    matches += count;
    all.push({ ...draft, route });
  }
  return all;
}

function routeNames(all: readonly Passage[]): string[] {
  return [...new Set(all.map(({ route }) => route))];
}

export function httpRoutes(
  all: readonly Passage[],
  namespace: string,
  backend: (upstream: string) => Block,
): Manifest[] {
  return routeNames(all).map((name) => ({
    file: POLICY_FILE,
    object: {
      [COMMENT]:
        'Hosts are matched in the rules: by `hostnames` one of them would be chosen before any rule. Each path is at least as\nlong as those of the rules below that it takes requests from, because Gateway API takes the longest first.',
      apiVersion: GATEWAY_API,
      kind: 'HTTPRoute',
      metadata: { name, namespace },
      spec: {
        parentRefs: [gatewayRef()],
        rules: all.filter(({ route }) => route === name).map((passage) => ruleBlock(passage, backend)),
      },
    },
  }));
}

function ruleBlock({ section, comment, matches, to }: Passage, backend: (upstream: string) => Block): Block {
  const action: Record<string, Value> =
    to.kind === 'upstream'
      ? // No bound on the whole answer: downloads, event streams.
        { backendRefs: [backend(to.name)], timeouts: { request: '0s' } }
      : {
          filters: [
            {
              type: 'ExtensionRef',
              extensionRef: { group: EXTENSION_GROUP, kind: 'HTTPRouteFilter', name: refusalFilter(to.as) },
            },
          ],
        };
  return { [COMMENT]: comment, name: section, matches: matches.flatMap(matchBlocks), ...action };
}
