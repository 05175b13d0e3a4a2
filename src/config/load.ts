// Reading a configuration file: YAML, environment, schema, resolution. Reads the file; everything else is pure.
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isAlias, isMap, isNode, isScalar, isSeq } from 'yaml';
import type { Config } from './config.ts';
import { MAX_DEPTH, nameOf, plainValue, readDocument, wholeFile, type YamlDocument } from './document.ts';
import { ConfigError, type Fault, keyName, type LocatedFault, MAX_FAULTS } from './fault.ts';
import { resolve } from './resolve.ts';
import { configSchema } from './schema.ts';
import { faultsOfIssue } from './schema-faults.ts';

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
    throw unreadable(file, error);
  }
  return parseConfig(text, file, options);
}

/** The text of a configuration file, for {@link parseConfig}. @throws {ConfigError} where it cannot be read. */
export async function readConfigFile(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw unreadable(file, error);
  });
}

/**
 * Resolves a configuration given as text; `file` is used in messages alone.
 * @throws {ConfigError} with every fault found.
 */
export function parseConfig(source: string, file: string, options: LoadOptions = {}): Config {
  const document = readDocument(source.replace(/^\uFEFF/, ''), file);
  const faults: Fault[] = [];
  const failure = () => new ConfigError(faults.map((fault) => locateFault(fault, file, document)).sort(byPlace));
  const report = (fault: Fault) => {
    faults.push(fault);
    if (faults.length === MAX_FAULTS) throw failure();
  };
  refuseUnreadable(document, report);
  substitute(document, options.env ?? process.env, report);
  if (faults.length > 0) throw failure();
  const parsed = configSchema.safeParse(plainValue(document.contents, file), { reportInput: true });
  if (!parsed.success) {
    for (const issue of parsed.error.issues) for (const fault of faultsOfIssue(issue)) report(fault);
    throw failure();
  }
  const config = resolve(parsed.data, report);
  if (faults.length > 0) throw failure();
  return config;
}

function byPlace(a: LocatedFault, b: LocatedFault): number {
  return a.line - b.line || a.column - b.column;
}

function unreadable(file: string, error: unknown): ConfigError {
  const { code } = error as NodeJS.ErrnoException;
  const problem = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`;
  return wholeFile(file, problem, 'Name another with -c FILE');
}

/** What would not arrive as it is written: a second key of the same name, `__proto__`, an alias of nothing. */
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
      const where = { path: [...path, name], atKey: true, ...(at === undefined ? {} : { at }) };
      if (seen.has(name)) report({ ...where, problem: `the key "${name}" is given twice`, fix: 'Keep one of them' });
      if (name === '__proto__') report({ ...where, problem: 'the key "__proto__" is not known', fix: 'Take it out' });
      seen.add(name);
    }
  });
}

/** Puts the environment's values in place of `${NAME}`, in scalars alone, so that a value can never become structure. */
function substitute(
  { contents }: YamlDocument,
  env: Readonly<Record<string, string | undefined>>,
  report: (fault: Fault) => void,
): void {
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
