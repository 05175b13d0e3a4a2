// A file of YAML against its schema: the environment's values put in, and every fault at its line and column. No I/O.
import { isAlias, isCollection, isMap, isNode, isScalar, isSeq } from 'yaml';
import type { z } from 'zod';
import {
  type DocumentAdvice,
  MAX_DEPTH,
  nameOf,
  plainValue,
  readDocument,
  wholeFile,
  type YamlDocument,
} from './document.ts';
import { ConfigError, type Fault, keyName, type LocatedFault, MAX_FAULTS } from './fault.ts';
import { faultsOfIssue, type SchemaWords } from './schema-faults.ts';

const VARIABLE = /\$\{([^}]*)(\}?)/g;

/** Where `${NAME}` is looked up. */
export type Env = Readonly<Record<string, string | undefined>>;

/** A kind of file: what it holds, and what its author is told. */
export interface FileKind<S extends z.ZodType> {
  readonly schema: S;
  readonly words: SchemaWords;
  readonly advice: DocumentAdvice;
}

/** A file that its schema has accepted. */
export interface YamlFile<T> {
  readonly content: T;
  /** Where the value stands, else the nearest thing around it that does. */
  lineOf(path: readonly (string | number)[]): number;
  /** One more fault. @throws {ConfigError} where it is one too many. */
  report(fault: Fault): void;
  /** @throws {ConfigError} where there was a fault. */
  stopAtFaults(): void;
}

/**
 * Reads a file given as text; `file` is used in messages alone.
 * @throws {ConfigError} with every fault found.
 */
export function readYaml<S extends z.ZodType>(
  source: string,
  file: string,
  { schema, words, advice }: FileKind<S>,
  env: Env,
): YamlFile<z.output<S>> {
  const document = readDocument(source.replace(/^\uFEFF/, ''), file, advice);
  const faults: Fault[] = [];
  const locate = (fault: Fault) => locateFault(fault, file, document);
  const failure = () => new ConfigError(faults.map(locate).sort(byPlace));
  const report = (fault: Fault) => {
    faults.push(fault);
    if (faults.length === MAX_FAULTS) throw failure();
  };
  const stopAtFaults = () => {
    if (faults.length > 0) throw failure();
  };
  refuseUnreadable(document, report);
  substitute(document, env, report);
  stopAtFaults();
  const parsed = schema.safeParse(plainValue(document.contents, file), { reportInput: true });
  if (!parsed.success) {
    for (const issue of parsed.error.issues) for (const fault of faultsOfIssue(issue, words)) report(fault);
    throw failure();
  }
  const lineOf = (path: readonly (string | number)[]) => locate({ path, problem: '', fix: '' }).line;
  return { content: parsed.data, lineOf, report, stopAtFaults };
}

/** A file that cannot be had. `fix`: how to name another. */
export function unreadable(file: string, error: unknown, fix: string): ConfigError {
  const { code } = error as NodeJS.ErrnoException;
  return wholeFile(file, code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`, fix);
}

function byPlace(a: LocatedFault, b: LocatedFault): number {
  return a.line - b.line || a.column - b.column;
}

/**
 * What would not arrive as it is written: a second key of the same name, `__proto__`, a list or map as a key, an alias of
 * nothing.
 */
function refuseUnreadable({ contents }: YamlDocument, report: (fault: Fault) => void): void {
  const anchors = new Set<string>();
  walk(contents, [], (node, path) => {
    if (isNode(node) && 'anchor' in node && node.anchor !== undefined) anchors.add(String(node.anchor));
    if (isAlias(node) && !anchors.has(node.source)) {
      report({ path, problem: `no anchor "&${node.source}" stands before it`, fix: 'Write the value out' });
    }
    if (!isMap(node)) return;
    const seen = new Set<string>();
    for (const { key } of node.items) {
      const name = nameOf(key);
      const at = isNode(key) ? key.range?.[0] : undefined;
      const place = at === undefined ? {} : { at };
      if (isCollection(key) || isAlias(key)) {
        report({ path, ...place, problem: 'a key is a list, a map or an alias', fix: 'Write a plain name' });
        continue;
      }
      const where = { path: [...path, name], atKey: true, ...place };
      if (seen.has(name)) report({ ...where, problem: `the key "${name}" is given twice`, fix: 'Keep one of them' });
      if (name === '__proto__') report({ ...where, problem: 'the key "__proto__" is not known', fix: 'Take it out' });
      seen.add(name);
    }
  });
}

/** Puts the environment's values in place of `${NAME}`, in scalars alone, so that a value can never become structure. */
function substitute({ contents }: YamlDocument, env: Env, report: (fault: Fault) => void): void {
  walk(contents, [], (node, path) => {
    if (!isScalar(node) || typeof node.value !== 'string' || !node.value.includes('${')) return;
    node.value = node.value.replace(VARIABLE, (_, name: string, close: string) => {
      const value = Object.hasOwn(env, name) ? env[name] : undefined;
      if (close === '' || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
        // What stands there is not repeated: it may be a secret with a "${" in it.
        report({ path, problem: 'a "${" does not begin the name of a variable', fix: 'Write ${NAME}' });
      } else if (value === undefined || value === '') {
        report({ path, problem: `the environment variable ${name} is not set`, fix: `Set it: export ${name}=…` });
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

function locateFault(fault: Fault, file: string, { contents, lines }: YamlDocument): LocatedFault {
  const offset = fault.at ?? offsetOf(fault, contents);
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
function offsetOf(fault: Fault, root: YamlDocument['contents']): number {
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
