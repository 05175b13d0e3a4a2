// Reading a YAML file with positions: environment, schema, and every fault at its line and column. No I/O.
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
import { ConfigError, type Fault, keyName, type LocatedFault } from './fault.ts';
import { faultsOfIssue, type SchemaWords } from './schema-faults.ts';

/** A larger file is refused before it is parsed: reading some YAML takes time in the square of its size. */
const MAX_BYTES = 512 * 1024;
const MAX_DEPTH = 64;
/** More faults than this help nobody, and each costs a search for its place. */
const MAX_FAULTS = 100;
const VARIABLE = /\$\{([^}]*)(\}?)/g;

/** Where `${NAME}` is looked up. */
export type Env = Readonly<Record<string, string | undefined>>;

/** A kind of file: what it holds, and what its author is told. */
export interface FileKind<S extends z.ZodType> {
  readonly schema: S;
  readonly words: SchemaWords;
  /** The way out where the file is empty, or too large. */
  readonly ifEmpty: string;
  readonly ifTooLarge: string;
}

/** A file that its schema has accepted. */
export interface YamlFile<T> {
  readonly content: T;
  /** Where the value stands, else the nearest thing around it that does. */
  lineOf(path: readonly (string | number)[]): number;
  /** @throws {ConfigError} where there is a fault. */
  stopAt(faults: readonly Fault[]): void;
}

/**
 * Reads a file given as text; `file` is used in messages alone.
 * @throws {ConfigError} with every fault found.
 */
export function readYaml<S extends z.ZodType>(
  source: string,
  file: string,
  kind: FileKind<S>,
  env: Env,
): YamlFile<z.output<S>> {
  const text = source.replace(/^\uFEFF/, '');
  if (Buffer.byteLength(text) > MAX_BYTES)
    throw wholeFile(file, `it is larger than ${MAX_BYTES} bytes`, kind.ifTooLarge);
  const lines = new LineCounter();
  const document = parseDocument(text, file, lines, kind.ifEmpty);
  const locate = (fault: Fault) => locateFault(fault, file, document, lines);
  const stopAt = (faults: readonly Fault[]) => {
    if (faults.length > 0) throw new ConfigError(faults.slice(0, MAX_FAULTS).map(locate).sort(byPlace));
  };
  const faults: Fault[] = [];
  refuseUnreadable(document, faults);
  substitute(document, env, faults);
  stopAt(faults);
  const parsed = kind.schema.safeParse(toPlain(document, file), { reportInput: true });
  if (!parsed.success) throw stopAt(parsed.error.issues.flatMap((issue) => faultsOfIssue(issue, kind.words)));
  return { content: parsed.data, lineOf: (path) => locate({ path, problem: '', fix: '' }).line, stopAt };
}

/** Of a file that there is no place in. */
function wholeFile(file: string, problem: string, fix: string): ConfigError {
  return new ConfigError([{ file, line: 1, column: 1, key: '', problem, fix }]);
}

/** A file that cannot be had. `fix`: how to name another. */
export function unreadable(file: string, error: unknown, fix: string): ConfigError {
  const { code } = error as NodeJS.ErrnoException;
  return wholeFile(file, code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`, fix);
}

function byPlace(a: LocatedFault, b: LocatedFault): number {
  return a.line - b.line || a.column - b.column;
}

function parseDocument(text: string, file: string, lines: LineCounter, ifEmpty: string): Document.Parsed {
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
    throw wholeFile(file, 'it is empty', ifEmpty);
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
function substitute(document: Document.Parsed, env: Env, faults: Fault[]): void {
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
