// What the schema finds, in the words of faults: where, what is wrong, how to fix it. No I/O.
import type { z } from 'zod';
import { type Fault, keyName, MAX_FAULTS } from './fault.ts';
import { nearest } from './nearest.ts';

/** What is said of one schema's files. */
export interface SchemaWords {
  /** Every object's keys by the dotted path to it, indexes left out. */
  readonly knownKeys: ReadonlyMap<string, ReadonlySet<string>>;
  /** Where its author can look everything up. */
  readonly schemaFile: string;
  /** The way out where a number stands in place of a text. */
  readonly numberFix: string;
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
      return issue.keys.slice(0, MAX_FAULTS).map((key) => unknownKey(path, key, words));
    case 'invalid_key':
      return [
        {
          path,
          atKey: true,
          problem: issue.issues[0]?.message.split('; ')[0] ?? 'not a valid key',
          fix: hint(issue.issues[0]?.message),
        },
      ];
    case 'invalid_union':
      return faultsOfUnion(issue, words, path);
    case 'invalid_type':
      return [typeFault(path, issue.expected, issue.input, words)];
    case 'invalid_value':
      if (issue.input === undefined) return [typeFault(path, 'string', undefined, words)];
      return [{ path, problem: 'not a value that is known here', fix: chooseFrom(issue.values, issue.input) }];
    case 'too_small':
    case 'too_big':
      if (issue.origin === 'number' || issue.origin === 'int') return [rangeFault(path, issue)];
      return [messageFault(path, issue.message, words)];
    default:
      return [messageFault(path, issue.message, words)];
  }
}

function chooseFrom(known: readonly unknown[], input: unknown): string {
  if (known.some((value) => typeof value !== 'string' && String(value) === input)) return 'Write it without quotes';
  const values = known.map(String);
  const near = typeof input === 'string' ? nearest(input, values) : undefined;
  return near === undefined ? `Choose from ${values.join(', ')}` : `Did you mean "${near}"?`;
}

/** Of a message of our own: the problem, then "; ", then the fix. */
function messageFault(path: (string | number)[], message: string, { schemaFile }: SchemaWords): Fault {
  const [problem = '', ...rest] = message.split('; ');
  return { path, problem, fix: rest.length > 0 ? capital(rest.join('; ')) : `See ${schemaFile}` };
}

function rangeFault(path: (string | number)[], issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): Fault {
  const bound = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  return { path, problem: 'out of range', fix: `Choose ${bound}` };
}

/** The alternative that comes closest to what was written tells best what is wrong. */
function faultsOfUnion(issue: z.core.$ZodIssueInvalidUnion, words: SchemaWords, path: (string | number)[]): Fault[] {
  const alternatives = issue.errors.map((issues) =>
    issues.slice(0, MAX_FAULTS).flatMap((one) => faultsOfIssue(one, words, path)),
  );
  const best = alternatives.sort((a, b) => depth(b) - depth(a) || a.length - b.length)[0] ?? [];
  return best.length > 0 ? best : [{ path, problem: 'no alternative fits', fix: `See ${words.schemaFile}` }];
}

/** How far the reading came: an alternative whose own keys are unknown did not fit at all. */
function depth(faults: readonly Fault[]): number {
  return Math.min(...faults.map((fault) => fault.path.length - (fault.atKey ? 1 : 0)));
}

function hint(message: string | undefined): string {
  return capital(message?.split('; ').slice(1).join('; ') || 'choose another name');
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

function unknownKey(path: (string | number)[], key: string, { knownKeys }: SchemaWords): Fault {
  const known = [...(knownKeys.get(path.filter((step) => typeof step === 'string').join('.')) ?? [])];
  const near = nearest(key, known);
  const fix = near ? `Did you mean "${near}"?` : known.length > 0 ? `Known here: ${known.join(', ')}` : 'Take it out';
  return { path: [...path, key], atKey: true, problem: `the key "${key}" is not known`, fix };
}

function typeFault(path: (string | number)[], expected: string, input: unknown, { numberFix }: SchemaWords): Fault {
  if (input === undefined) {
    return {
      path: path.slice(0, -1),
      problem: `the key "${path.at(-1) ?? ''}" is missing`,
      fix: `Add ${keyName(path)}`,
    };
  }
  const found =
    input === null
      ? 'nothing'
      : Array.isArray(input)
        ? 'a list'
        : typeof input === 'object'
          ? 'a map'
          : `a ${typeof input}`;
  const wanted =
    { object: 'a map', record: 'a map', array: 'a list', int: 'a whole number' }[expected] ?? `a ${expected}`;
  return {
    path,
    problem: `expected ${wanted}, found ${found}`,
    fix: fixOf(input, wanted, numberFix),
  };
}

function fixOf(input: unknown, wanted: string, numberFix: string): string {
  if (input === null && wanted === 'a string') return 'Give a value, or take the line out';
  if (typeof input === 'number' && wanted === 'a string') return numberFix;
  return wanted === 'a string' ? 'Put it in quotes' : `Write ${wanted}`;
}
