// What the schema finds, in the words of faults: where, what is wrong, how to fix it. No I/O.
import type { z } from 'zod';
import { type Fault, keyName, listed, MAX_FAULTS } from './fault.ts';
import { nearest } from './nearest.ts';

/** What is said of one schema's files. */
export interface SchemaWords {
  /** Every object's keys by the dotted path to it, indexes left out. */
  readonly knownKeys: ReadonlyMap<string, ReadonlySet<string>>;
  /** Where its author can look everything up. */
  readonly schemaFile: string;
}

export function schemaWords(schema: z.ZodType, words: Omit<SchemaWords, 'knownKeys'>): SchemaWords {
  return { ...words, knownKeys: knownKeys(schema) };
}

/** The faults that one finding of the schema stands for. `base`: where the finding's own path begins. */
export function faultsOfIssue(
  issue: z.core.$ZodIssue,
  words: SchemaWords,
  base: readonly (string | number)[] = [],
): Fault[] {
  const path = [...base, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.slice(0, MAX_FAULTS).map((key) => unknownKey(path, key, issue.input, words));
    case 'invalid_key':
      return [
        {
          path,
          atKey: true,
          problem: issue.issues[0]?.message.split('; ')[0] ?? 'not a valid key',
          fix: fixIn(issue.issues[0]?.message) ?? 'Choose another name',
        },
      ];
    case 'invalid_union':
      return faultsOfUnion(issue, words, path);
    case 'invalid_type':
      return [typeFault(path, issue.expected, issue.input, fixIn(issue.message))];
    case 'invalid_value':
      if (issue.input === undefined) return [typeFault(path, 'string', undefined)];
      return [{ path, problem: 'not a value that is known here', fix: chooseFrom(issue.values, issue.input) }];
    case 'too_small':
    case 'too_big':
      if (issue.origin === 'number' || issue.origin === 'int') return [rangeFault(path, issue)];
      return [messageFault(path, issue.message, words)];
    default:
      return [messageFault(path, issue.message, words)];
  }
}

/** So many are told, whatever was meant by another. */
const MAX_TOLD_VALUES = 6;

function chooseFrom(known: readonly unknown[], input: unknown): string {
  if (known.some((value) => typeof value !== 'string' && String(value) === input)) return 'Write it without quotes';
  const values = known.map(String);
  if (values.length <= MAX_TOLD_VALUES) return `Choose from ${values.join(', ')}`;
  const near = typeof input === 'string' ? nearest(input, values) : undefined;
  return near === undefined ? `Choose from ${values.join(', ')}` : `Did you mean "${near}"?`;
}

/** Of a message of our own: the problem, then "; ", then the fix. */
function messageFault(path: (string | number)[], message: string, { schemaFile }: SchemaWords): Fault {
  return { path, problem: message.split('; ')[0] ?? '', fix: fixIn(message) ?? `See ${schemaFile}` };
}

function fixIn(message: string | undefined): string | undefined {
  const fix = message?.split('; ').slice(1).join('; ');
  return fix ? capital(fix) : undefined;
}

function rangeFault(path: (string | number)[], issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): Fault {
  const bound = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  return { path, problem: 'out of range', fix: `Choose ${bound}` };
}

/** The alternative that comes closest to what was written tells best what is wrong. */
function faultsOfUnion(issue: z.core.$ZodIssueInvalidUnion, words: SchemaWords, path: (string | number)[]): Fault[] {
  // Plain values have a message of their own: no one of their types is the one that was meant.
  if (issue.message.includes('; ') && issue.errors.every(isOfTypeAlone))
    return [messageFault(path, issue.message, words)];
  const alternatives = issue.errors.map((issues) => ({
    faults: issues.slice(0, MAX_FAULTS).flatMap((one) => faultsOfIssue(one, words, path)),
    misplaced: misplacedKeys(issues, knownAt(path, words)),
  }));
  const [closest] = alternatives.sort(
    (a, b) => depth(b.faults) - depth(a.faults) || a.misplaced - b.misplaced || a.faults.length - b.faults.length,
  );
  const best = closest?.faults ?? [];
  return best.length > 0 ? best : [{ path, problem: 'no alternative fits', fix: `See ${words.schemaFile}` }];
}

/** How many keys are those of another alternative. */
function misplacedKeys(issues: readonly z.core.$ZodIssue[], known: ReadonlySet<string>): number {
  const unknown = issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : [],
  );
  return unknown.filter((key) => known.has(key)).length;
}

function isOfTypeAlone(issues: readonly z.core.$ZodIssue[]): boolean {
  return issues.every(({ code, path }) => code === 'invalid_type' && path.length === 0);
}

/** How far the reading came: an alternative whose own keys are unknown did not fit at all. */
function depth(faults: readonly Fault[]): number {
  return Math.min(...faults.map((fault) => fault.path.length - (fault.atKey ? 1 : 0)));
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function knownKeys(schema: z.ZodType, path = '', found = new Map<string, Set<string>>()): Map<string, Set<string>> {
  const def = schema.def as z.core.$ZodTypeDef & Record<string, unknown>;
  if (def.type === 'object') {
    const shape = def['shape'] as Record<string, z.ZodType>;
    const known = found.get(path) ?? new Set<string>();
    found.set(path, known);
    for (const [key, value] of Object.entries(shape)) {
      known.add(key);
      knownKeys(value, path === '' ? key : `${path}.${key}`, found);
    }
  }
  for (const inner of ['innerType', 'element', 'in'] as const) {
    if (def[inner]) knownKeys(def[inner] as z.ZodType, path, found);
  }
  if (def.type === 'union') for (const option of def['options'] as z.ZodType[]) knownKeys(option, path, found);
  return found;
}

const NONE: ReadonlySet<string> = new Set();

function knownAt(path: readonly (string | number)[], { knownKeys }: SchemaWords): ReadonlySet<string> {
  return knownKeys.get(dotted(path)) ?? NONE;
}

function dotted(path: readonly (string | number)[]): string {
  return path.filter((step) => typeof step === 'string').join('.');
}

function unknownKey(path: (string | number)[], key: string, input: unknown, words: SchemaWords): Fault {
  const known = knownAt(path, words);
  const at = { path: [...path, key], atKey: true };
  if (known.has(key)) return { ...at, ...apart(key, known, input) };
  const problem = `the key "${key}" is not known`;
  const near = nearest(key, [...known]);
  if (near) return { ...at, problem, fix: `Did you mean "${near}"?` };
  const owner = ownerOf(path, key, words);
  if (owner) return { ...at, problem: `"${key}" belongs to ${owner}`, fix: `Write ${owner}: { ${key}: … }` };
  return { ...at, problem, fix: known.size > 0 ? `Known here: ${[...known].join(', ')}` : 'Take it out' };
}

/** Of a key that only another alternative of a union has. */
function apart(key: string, known: ReadonlySet<string>, input: unknown): Pick<Fault, 'problem' | 'fix'> {
  const others = Object.keys(input ?? {}).filter((other) => other !== key && known.has(other));
  return { problem: `${listed([...others, key])} are given together`, fix: 'Keep one of them' };
}

/** Beside or below where the key stands: what is known to have such a one. */
function ownerOf(path: readonly (string | number)[], key: string, words: SchemaWords): string | undefined {
  const around = dotted(path).split('.').slice(0, -1).join('.');
  const paths = [dotted(path), around].map((base) => (base === '' ? '' : `${base}.`));
  return paths
    .flatMap((base) => [...knownAt(base.split('.').slice(0, -1), words)].map((name) => ({ base, name })))
    .find(({ base, name }) => words.knownKeys.get(`${base}${name}`)?.has(key))?.name;
}

function typeFault(path: (string | number)[], expected: string, input: unknown, fix?: string): Fault {
  if (input === undefined) {
    return {
      path: path.slice(0, -1),
      problem: `the key "${path.at(-1) ?? ''}" is missing`,
      fix: `Add ${keyName(path)}`,
    };
  }
  const wanted =
    { object: 'a map', record: 'a map', array: 'a list', int: 'a whole number' }[expected] ?? `a ${expected}`;
  return {
    path,
    problem: `expected ${wanted}, found ${kindOf(input)}`,
    fix: input === null || fix === undefined ? fixOf(input, wanted) : fix,
  };
}

function kindOf(input: unknown): string {
  if (input === null) return 'nothing';
  if (Array.isArray(input)) return 'a list';
  return typeof input === 'object' ? 'a map' : `a ${typeof input}`;
}

function fixOf(input: unknown, wanted: string): string {
  if (wanted !== 'a string') return `Write ${wanted}`;
  if (input === null) return 'Give a value, or take the line out';
  return typeof input === 'object' ? 'Write one text' : 'Put it in quotes';
}
