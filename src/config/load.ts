// Reading a configuration file: YAML, environment, schema, resolution. Reads the file; everything else is pure.
import { readFileSync } from 'node:fs';
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseAllDocuments,
} from 'yaml';
import type { z } from 'zod';
import type { Config } from './config.ts';
import { ConfigError, type Fault, keyName, type LocatedFault } from './fault.ts';
import { nearest } from './nearest.ts';
import { resolve } from './resolve.ts';
import { configSchema } from './schema.ts';

/** A larger file is refused before it is parsed: reading some YAML takes time in the square of its size. */
const MAX_BYTES = 512 * 1024;
const MAX_DEPTH = 64;
/** More faults than this help nobody, and each costs a search for its place. */
const MAX_FAULTS = 100;
const VARIABLE = /\$\{([^}]*)(\}?)/g;

export interface LoadOptions {
  /** Where `${NAME}` is looked up; default the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads and resolves a configuration file.
 * @throws {ConfigError} with every fault found, each with line and column, also where the file cannot be read.
 */
export function loadConfig(file: string, options: LoadOptions = {}): Config {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const reason =
      (error as NodeJS.ErrnoException).code === 'ENOENT'
        ? 'there is no such file'
        : `it cannot be read (${(error as NodeJS.ErrnoException).code})`;
    throw wholeFile(file, reason, 'Name another with -c FILE');
  }
  return parseConfig(text, file, options);
}

/**
 * Resolves a configuration given as text; `file` is used in messages alone.
 * @throws {ConfigError} with every fault found.
 */
export function parseConfig(source: string, file: string, options: LoadOptions = {}): Config {
  const text = source.replace(/^\uFEFF/, '');
  if (Buffer.byteLength(text) > MAX_BYTES)
    throw wholeFile(file, `it is larger than ${MAX_BYTES} bytes`, 'Split it: one file is one edge');
  const lines = new LineCounter();
  const document = parseDocument(text, file, lines);
  const stopAt = (faults: readonly Fault[]) => {
    if (faults.length === 0) return;
    const located = faults.slice(0, MAX_FAULTS).map((fault) => locateFault(fault, file, document, lines));
    throw new ConfigError(located.sort(byPlace));
  };
  const faults: Fault[] = [];
  refuseUnreadable(document, faults);
  substitute(document, options.env ?? process.env, faults);
  stopAt(faults);
  const parsed = configSchema.safeParse(toPlain(document, file), { reportInput: true });
  if (!parsed.success) throw stopAt(parsed.error.issues.flatMap((issue) => faultsOfIssue(issue)));
  const config = resolve(parsed.data, (fault) => faults.push(fault));
  stopAt(faults);
  return config;
}

function byPlace(a: LocatedFault, b: LocatedFault): number {
  return a.line - b.line || a.column - b.column;
}

function wholeFile(file: string, problem: string, fix: string): ConfigError {
  return new ConfigError([{ file, line: 1, column: 1, key: '', problem, fix }]);
}

function parseDocument(text: string, file: string, lines: LineCounter): Document.Parsed {
  let documents: Document.Parsed[];
  try {
    // One schema whatever a %YAML line says, and no tag that makes a value something else than it looks like.
    const options = { schema: 'core', resolveKnownTags: false, uniqueKeys: false } as const;
    documents = [
      ...parseAllDocuments(text, { ...options, lineCounter: lines, prettyErrors: false }),
    ] as Document.Parsed[];
  } catch {
    throw tooDeep(file);
  }
  const [document, second] = documents;
  if (!document || document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
    throw wholeFile(file, 'it is empty', 'Begin with ory: and edge:');
  }
  if (second) throw wholeFile(file, 'it holds more than one document', 'Take out the line "---"');
  const errors = [...document.errors, ...document.warnings];
  if (errors.some((error) => error.message.startsWith('Maximum call stack'))) throw tooDeep(file);
  if (errors.length > 0) {
    throw new ConfigError(
      errors
        .slice(0, MAX_FAULTS)
        .map((error) => {
          const { line, col } = lines.linePos(error.pos[0]);
          return {
            file,
            line: Math.max(line, 1),
            column: Math.max(col, 1),
            key: '',
            problem: `not YAML: ${sentence(error.message)}`,
            fix: 'Mend the line',
          };
        })
        .sort(byPlace),
    );
  }
  return document;
}

function tooDeep(file: string): ConfigError {
  return wholeFile(file, 'it is nested too deeply to be read', `Keep it under ${MAX_DEPTH} levels`);
}

function sentence(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/\.$/, '').replace(/ at line \d+, column \d+:?$/, '');
}

function toPlain(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 50 });
  } catch {
    throw wholeFile(file, 'its aliases multiply without bound', 'Write the values out');
  }
}

/** What would not arrive as it is written: a second key of the same name, `__proto__`, an alias of nothing. */
function refuseUnreadable(document: Document.Parsed, faults: Fault[]): void {
  const anchors = new Set<string>();
  walk(document.contents, [], (node, path) => {
    if (isNode(node) && 'anchor' in node && node.anchor !== undefined) anchors.add(String(node.anchor));
    if (isAlias(node) && !anchors.has(node.source)) {
      faults.push({ path, problem: `no anchor "&${node.source}" stands before it`, fix: 'Write the value out' });
    }
    if (!isMap(node)) return;
    const seen = new Set<string>();
    for (const { key } of node.items) {
      const name = nameOf(key);
      const at = isNode(key) ? key.range?.[0] : undefined;
      const where = { path: [...path, name], atKey: true, ...(at === undefined ? {} : { at }) };
      if (seen.has(name))
        faults.push({ ...where, problem: `the key "${name}" is given twice`, fix: 'Keep one of them' });
      if (name === '__proto__')
        faults.push({ ...where, problem: 'the key "__proto__" is not known', fix: 'Take it out' });
      seen.add(name);
    }
  });
}

function nameOf(key: unknown): string {
  return String(isScalar(key) ? key.value : key);
}

/** Puts the environment's values in place of `${NAME}`, in scalars alone, so that a value can never become structure. */
function substitute(
  document: Document.Parsed,
  env: Readonly<Record<string, string | undefined>>,
  faults: Fault[],
): void {
  walk(document.contents, [], (node, path) => {
    if (!isScalar(node) || typeof node.value !== 'string' || !node.value.includes('${')) return;
    node.value = node.value.replace(VARIABLE, (_, name: string, close: string) => {
      const value = Object.hasOwn(env, name) ? env[name] : undefined;
      if (close === '' || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
        // What stands there is not repeated: it may be a secret with a "${" in it.
        faults.push({ path, problem: 'a "${" does not begin the name of a variable', fix: 'Write ${NAME}' });
      } else if (value === undefined || value === '') {
        faults.push({ path, problem: `the environment variable ${name} is not set`, fix: `Set it: export ${name}=…` });
      }
      return value ?? '';
    });
  });
}

function walk(
  node: unknown,
  path: readonly (string | number)[],
  visit: (node: unknown, path: readonly (string | number)[]) => void,
): void {
  if (path.length > MAX_DEPTH) return;
  visit(node, path);
  if (isMap(node)) {
    for (const pair of node.items) walk(pair.value, [...path, nameOf(pair.key)], visit);
  } else if (isSeq(node)) {
    for (const [i, item] of node.items.entries()) walk(item, [...path, i], visit);
  }
}

/** `base`: where the issue's own path begins. */
function faultsOfIssue(issue: z.core.$ZodIssue, base: readonly (string | number)[] = []): Fault[] {
  const path = [...base, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(path, key));
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
      return faultsOfUnion(issue, path);
    case 'invalid_type':
      return [typeFault(path, issue.expected, issue.input)];
    case 'invalid_value':
      if (issue.input === undefined) return [typeFault(path, 'string', undefined)];
      return [{ path, problem: 'not a value that is known here', fix: `Choose from ${issue.values.join(', ')}` }];
    case 'too_small':
    case 'too_big':
      if (issue.origin === 'number' || issue.origin === 'int') return [rangeFault(path, issue)];
      return [messageFault(path, issue.message)];
    default:
      return [messageFault(path, issue.message)];
  }
}

/** Of a message of our own: the problem, then "; ", then the fix. */
function messageFault(path: (string | number)[], message: string): Fault {
  const [problem = '', ...rest] = message.split('; ');
  return { path, problem, fix: rest.length > 0 ? capital(rest.join('; ')) : 'See schema/ory-envoy.schema.json' };
}

function rangeFault(path: (string | number)[], issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): Fault {
  const bound = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  return { path, problem: 'out of range', fix: `Choose ${bound}` };
}

/** The alternative that comes closest to what was written tells best what is wrong. */
function faultsOfUnion(issue: z.core.$ZodIssueInvalidUnion, path: (string | number)[]): Fault[] {
  const alternatives = issue.errors.map((issues) => issues.flatMap((one) => faultsOfIssue(one, path)));
  const best = alternatives.sort((a, b) => depth(b) - depth(a) || a.length - b.length)[0] ?? [];
  return best.length > 0 ? best : [{ path, problem: 'no alternative fits', fix: 'See schema/ory-envoy.schema.json' }];
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

const KNOWN_KEYS = knownKeys(configSchema);

/** Every object's keys by the dotted path to it, indexes left out. */
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

function unknownKey(path: (string | number)[], key: string): Fault {
  const known = [...(KNOWN_KEYS.get(path.filter((step) => typeof step === 'string').join('.')) ?? [])];
  const near = nearest(key, known);
  const fix = near ? `Did you mean "${near}"?` : known.length > 0 ? `Known here: ${known.join(', ')}` : 'Take it out';
  return { path: [...path, key], atKey: true, problem: `the key "${key}" is not known`, fix };
}

function typeFault(path: (string | number)[], expected: string, input: unknown): Fault {
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
    fix: wanted === 'a string' ? 'Put it in quotes' : `Write ${wanted}`,
  };
}

function locateFault(fault: Fault, file: string, document: Document.Parsed, lines: LineCounter): LocatedFault {
  const offset = fault.at ?? offsetOf(fault, document.contents);
  const { line, col } = lines.linePos(offset);
  return {
    file,
    line: Math.max(line, 1),
    column: Math.max(col, 1),
    key: keyName(fault.path),
    problem: fault.problem,
    fix: fault.fix,
  };
}

/** Where the value stands, else the nearest thing around it that does. */
function offsetOf(fault: Fault, root: ParsedNode | null): number {
  let node: unknown = root;
  let offset = 0;
  for (const [i, step] of fault.path.entries()) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
      if (!pair) break;
      if (isNode(pair.key) && pair.key.range) offset = pair.key.range[0];
      if (fault.atKey && i === fault.path.length - 1) return offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
    } else break;
    if (isNode(node) && node.range && node.range[1] > node.range[0]) offset = node.range[0];
  }
  return offset;
}
