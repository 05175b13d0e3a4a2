// From the rules as written to the rules as used, and the faults between them: names, upstreams, requirements, rules
// that can never match. No I/O.
import type { Access, ClaimRequirement, Requirement, Rule, SessionRequirement, Upstream } from './config.ts';
import { durationMs } from './duration.ts';
import { type Fault, listed } from './fault.ts';
import { type Parsed, parseHostPattern, parsePathGlob, pathCovers } from './pattern.ts';
import { type Covering, RuleIndex } from './rule-index.ts';
import type { ConfigFile, RequirementEntry, RuleEntry } from './schema.ts';

type Path = readonly (string | number)[];
type Report = (fault: Fault) => void;

/** The name of the rule that stands for all where none is written. */
const DEFAULT_RULE = 'default';

/** `upstreams` in the order written; the first is the default. */
export function resolveRules(file: ConfigFile, upstreams: ReadonlyMap<string, Upstream>, report: Report): Rule[] {
  const entries = file.rules;
  if (!entries) return [impliedRule(file, upstreams)];
  const rules: Rule[] = [];
  const names = new Set<string>();
  const accesses = new Map<string, Access>();
  const index = new RuleIndex();
  let canTell = true;
  for (const [i, entry] of entries.entries()) {
    const resolved = resolveRule(entry, file, upstreams, ['rules', i], report);
    const rule = { ...resolved, access: shared(accesses, resolved.access) };
    if (names.has(rule.name)) reportNameTaken(rule, ['rules', i], report);
    if (!isRefused(rule)) {
      if (canTell) canTell = reportNeverMatches(rule, rules, index, ['rules', i], report);
      reportTakenByOry(rule, file.edge.ory_path, ['rules', i], report);
      index.add(rule, i);
    }
    names.add(rule.name);
    rules.push(rule);
  }
  return rules;
}

function impliedRule(file: ConfigFile, upstreams: ReadonlyMap<string, Upstream>): Rule {
  const anyOf: Requirement[] = [ANY_SESSION];
  if (file.tokens?.audiences) anyOf.push(tokenFor(file.tokens.audiences));
  return {
    name: DEFAULT_RULE,
    host: undefined,
    path: { source: '/**', segments: [], rest: true },
    methods: undefined,
    upstream: firstKey(upstreams),
    access: { kind: 'require', anyOf },
    unauthenticated: 'deny',
    corsOrigins: undefined,
  };
}

/** Thousands of rules ask for a few things: each stands in memory once. */
function shared(known: Map<string, Access>, access: Access): Access {
  const key = JSON.stringify(access);
  const same = known.get(key) ?? access;
  known.set(key, same);
  return same;
}

const ANY_SESSION: SessionRequirement = { kind: 'session', aal: undefined, maxAgeMs: undefined };

function tokenFor(audiences: readonly string[]): Requirement {
  return { kind: 'token', audiences, scopes: [], claims: [] };
}

function firstKey(map: ReadonlyMap<string, unknown>): string {
  return map.keys().next().value ?? '';
}

function resolveRule(
  entry: RuleEntry,
  file: ConfigFile,
  upstreams: ReadonlyMap<string, Upstream>,
  path: Path,
  report: Report,
): Rule {
  const pathGlob = unwrap(parsePathGlob(entry.match.path), [...path, 'match', 'path'], report);
  const host =
    entry.match.host === undefined
      ? undefined
      : (unwrap(parseHostPattern(entry.match.host), [...path, 'match', 'host'], report) ?? {
          source: entry.match.host,
          ...NO_HOST,
        });
  if (entry.upstream !== undefined && !upstreams.has(entry.upstream)) {
    report({
      path: [...path, 'upstream'],
      problem: `no upstream is called "${entry.upstream}"`,
      fix: `Choose from ${[...upstreams.keys()].join(', ')}, or add it to edge.upstreams`,
    });
  }
  return {
    name: entry.name,
    host,
    path: pathGlob ?? { source: entry.match.path, ...NO_PATH },
    methods: entry.match.methods,
    upstream: entry.upstream ?? firstKey(upstreams),
    access: resolveAccess(entry, file, path, report),
    unauthenticated: entry.unauthenticated ?? 'deny',
    corsOrigins: resolveCors(entry, path, report),
  };
}

/** A preflight is an OPTIONS request: a rule that does not take them would never see one. */
function resolveCors(entry: RuleEntry, path: Path, report: Report): readonly string[] | undefined {
  if (entry.cors && entry.match.methods && !entry.match.methods.includes('OPTIONS')) {
    report({
      path: [...path, 'cors'],
      atKey: true,
      problem: 'preflights are OPTIONS requests, and this rule does not take them',
      fix: 'Add OPTIONS to match.methods',
    });
  }
  return entry.cors?.origins;
}

/** What stands for a pattern that was refused: it matches nothing, so that it hides no other rule. */
const NO_PATH = { segments: [], rest: false } as const;
const NO_HOST = { exact: undefined, suffix: undefined } as const;

function isRefused({ path, host }: Rule): boolean {
  return (path.segments.length === 0 && !path.rest) || (host !== undefined && !host.exact && !host.suffix);
}

function unwrap<T>(parsed: Parsed<T>, path: Path, report: Report): T | undefined {
  if (parsed.ok) return parsed.value;
  report({ path, problem: parsed.problem, fix: parsed.fix });
  return undefined;
}

function resolveAccess(entry: RuleEntry, file: ConfigFile, path: Path, report: Report): Access {
  reportContradictions(entry, path, report);
  if (entry.allow !== undefined) return entry.identify ? resolveIdentify(file, path, report) : { kind: 'anyone' };
  if (entry.require === undefined) {
    report({
      path,
      problem: 'the rule does not say who may pass',
      fix: 'Give require (session or token) or allow: anyone',
    });
    return { kind: 'require', anyOf: [] };
  }
  const at = [...path, 'require'];
  const anyOf =
    'any_of' in entry.require
      ? entry.require.any_of.flatMap((one, i) => resolveRequirement(one, file, [...at, 'any_of', i], report))
      : resolveRequirement(entry.require, file, at, report);
  if (entry.unauthenticated === 'redirect' && anyOf.length > 0 && anyOf.every(({ kind }) => kind === 'token')) {
    report({
      path: [...path, 'unauthenticated'],
      atKey: true,
      problem: 'this rule takes tokens alone: a person would log in, come back with a session and be refused',
      fix: 'Take it out, or take sessions as well: require: { any_of: [{ session: {} }, { token: {} }] }',
    });
  }
  return { kind: 'require', anyOf };
}

/** Keys of one rule that do not go together. */
function reportContradictions(entry: RuleEntry, path: Path, report: Report): void {
  if (entry.allow !== undefined && entry.require !== undefined) {
    report({
      path: [...path, 'allow'],
      atKey: true,
      problem: 'allow and require are both given',
      fix: 'Keep one of them',
    });
  }
  if (entry.allow === undefined && entry.identify !== undefined) {
    report({
      path: [...path, 'identify'],
      atKey: true,
      problem: 'identify goes with allow: anyone',
      fix: 'Add allow: anyone, or take identify out',
    });
  }
  if (entry.allow !== undefined && entry.unauthenticated === 'redirect') {
    report({
      path: [...path, 'unauthenticated'],
      atKey: true,
      problem: 'this rule lets anyone in, so nobody is redirected',
      fix: 'Take it out, or use require',
    });
  }
}

function resolveIdentify(file: ConfigFile, path: Path, report: Report): Access {
  const anyOf = identifiable(file);
  if (anyOf.length === 0) {
    report({
      path: [...path, 'identify'],
      atKey: true,
      problem: 'there is nothing to identify anybody by',
      fix: 'Give ory.url or ory.kratos.public_url for sessions, tokens.audiences for tokens',
    });
  }
  return { kind: 'identify', anyOf };
}

/** What `identify` tries: session, then token where tokens are configured. */
function identifiable(file: ConfigFile): Requirement[] {
  const anyOf: Requirement[] = [];
  if (file.ory.url !== undefined || file.ory.kratos?.public_url !== undefined) anyOf.push(ANY_SESSION);
  if (file.tokens?.audiences || file.tokens?.any_audience) anyOf.push(tokenFor(file.tokens.audiences ?? []));
  return anyOf;
}

function resolveRequirement(entry: RequirementEntry, file: ConfigFile, path: Path, report: Report): Requirement[] {
  if (entry.session && entry.token) {
    report({
      path,
      problem: 'a session and a token are both required',
      fix: 'One request is judged by one credential: write any_of where either is enough',
    });
  }
  if (entry.session) {
    const { aal, max_age: maxAge } = entry.session;
    return [{ kind: 'session', aal, maxAgeMs: maxAge === undefined ? undefined : durationMs(maxAge) }];
  }
  if (!entry.token) {
    report({ path, problem: 'nothing is required', fix: 'Write session: {} or token: {}' });
    return [];
  }
  const audiences = entry.token.audiences ?? file.tokens?.audiences;
  if (!audiences && !file.tokens?.any_audience) {
    report({
      path: [...path, 'token'],
      problem: 'the token’s audience is not said, so a token made for any other service would pass',
      fix: 'Give tokens.audiences or audiences here; tokens.any_audience: true if every audience is meant',
    });
  }
  return [
    {
      kind: 'token',
      audiences: audiences ?? [],
      scopes: [...new Set(entry.token.scopes)],
      claims: Object.entries(entry.token.claims ?? {}).map(
        ([dotted, value]): ClaimRequirement => ({ path: dotted.split('.'), value }),
      ),
    },
  ];
}

function reportNameTaken({ name }: Rule, path: Path, report: Report): void {
  report({
    path: [...path, 'name'],
    problem: `another rule is called "${name}"`,
    fix: 'Rules need names of their own: they stand in logs and metrics',
  });
}

/** A rule whose requests are all taken by earlier ones is a mistake, and often a hole: it is refused. False: no telling. */
function reportNeverMatches(
  rule: Rule,
  earlier: readonly Rule[],
  index: RuleIndex,
  path: Path,
  report: Report,
): boolean {
  const covering = index.covering(rule);
  if (!covering) {
    report({
      path: [...path, 'match', 'path'],
      problem: 'the rules up to here overlap in more ways than can be checked',
      fix: 'Write fewer of them that differ only in where they have "*"',
    });
    return false;
  }
  const shadows = shadowsOf(rule, covering).map((position) => `"${earlier[position]?.name}"`);
  if (shadows.length > 0) {
    const take = shadows.length === 1 ? 'takes' : 'together take';
    report({
      path: [...path, 'match'],
      problem: `the rule can never match: ${listed(shadows)} before it ${take} every such request`,
      fix: 'Move it up, or take it out',
    });
  }
  return true;
}

/** The earlier rules that take all of a rule's requests: one that takes every method, or those that take its own. */
function shadowsOf({ methods }: Rule, { everyMethod, first }: Covering): number[] {
  if (everyMethod !== undefined) return [everyMethod];
  const firsts = (methods ?? []).map(first);
  const found = firsts.filter((position) => position !== undefined);
  return found.length === firsts.length ? [...new Set(found)].sort((a, b) => a - b) : [];
}

/** Everything below `edge.ory_path` is Ory's, before any rule. */
function reportTakenByOry(rule: Rule, oryPath: string | undefined, path: Path, report: Report): void {
  const ory = oryPath === undefined ? undefined : parsePathGlob(`${oryPath}/**`);
  if (!ory?.ok || !pathCovers(ory.value, rule.path)) return;
  report({
    path: [...path, 'match', 'path'],
    problem: `the rule can never match: edge.ory_path (${oryPath}) takes every such request`,
    fix: 'Choose another path, or another edge.ory_path',
  });
}
