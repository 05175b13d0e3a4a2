// The YAML of a file: its nodes with their places, and its plain value. Bounded, whatever the file holds:
// in size, in parts, in faults and in what its aliases come to. No I/O.
import {
  Composer,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type ParsedNode,
  Parser,
} from 'yaml';
import { ConfigError, MAX_FAULTS } from './fault.ts';

/** Ten thousand rules are around 2 MiB. */
const MAX_BYTES = 4 * 1024 * 1024;
/** Names, values, punctuation, runs of blanks, ends of lines: each takes microseconds. A rule has around 70. */
const MAX_LEXEMES = 1_500_000;
/** Of the plain value, where each alias counts as all that it stands for. */
const MAX_VALUES = 1_000_000;
export const MAX_DEPTH = 64;

export interface YamlDocument {
  readonly contents: ParsedNode;
  readonly lines: LineCounter;
}

/** The way out where a file of this kind holds nothing, or too much. */
export interface DocumentAdvice {
  readonly ifEmpty: string;
  readonly ifTooLarge: string;
}

/** @throws {ConfigError} where the text is not one document of plain YAML. `file` is used in messages alone. */
export function readDocument(text: string, file: string, advice: DocumentAdvice): YamlDocument {
  if (Buffer.byteLength(text) > MAX_BYTES)
    throw wholeFile(file, `it is larger than ${MAX_BYTES} bytes`, advice.ifTooLarge);
  const lines = new LineCounter();
  const errors = new Errors(file, lines);
  let document: Document.Parsed | undefined;
  try {
    document = compose(text, file, lines, errors, advice);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    if (errors.isFull) throw errors.fault();
    // The library's own recursion has an end; anything else is a bug.
    throw error instanceof RangeError ? tooDeep(file) : error;
  }
  if (errors.found.length > 0) throw errors.fault();
  const contents = document?.contents;
  if (!contents || (isScalar(contents) && contents.value === null))
    throw wholeFile(file, 'it is empty', advice.ifEmpty);
  return { contents, lines };
}

/** The plain value. @throws {ConfigError} where its aliases come to more than a file may hold. */
export function plainValue(root: ParsedNode, file: string): unknown {
  const anchored = new Map<string, { readonly value: unknown; readonly size: number }>();
  let size = 0;
  const plain = (node: unknown, depth: number): unknown => {
    if (depth > MAX_DEPTH) throw tooDeep(file);
    const before = size;
    size++;
    let value: unknown;
    if (isAlias(node)) {
      const target = anchored.get(node.source);
      size += target?.size ?? MAX_VALUES;
      value = target?.value;
    } else if (isMap(node)) {
      value = Object.fromEntries(node.items.map((pair) => [nameOf(pair.key), plain(pair.value, depth + 1)]));
    } else if (isSeq(node)) {
      value = node.items.map((item) => plain(item, depth + 1));
    } else if (isScalar(node)) {
      value = node.value;
    } else value = null;
    if (size > MAX_VALUES) throw wholeFile(file, 'its aliases multiply without bound', 'Write the values out');
    if ((isCollection(node) || isScalar(node)) && node.anchor !== undefined)
      anchored.set(node.anchor, { value, size: size - before });
    return value;
  };
  return plain(root, 0);
}

/** A key that is no scalar is refused, and not written out. */
export function nameOf(key: unknown): string {
  if (isScalar(key)) return String(key.value);
  return key === null ? 'null' : '?';
}

export function wholeFile(file: string, problem: string, fix: string): ConfigError {
  return new ConfigError([{ file, line: 1, column: 1, key: '', problem, fix }]);
}

function tooDeep(file: string): ConfigError {
  return wholeFile(file, 'it is nested too deeply to be read', `Keep it under ${MAX_DEPTH} levels`);
}

/** One schema whatever a %YAML line says, and no tag that makes a value something else than it looks like. */
const OPTIONS = { schema: 'core', resolveKnownTags: false, uniqueKeys: false } as const;

type ErrorSource = number | readonly [number, ...number[]] | { readonly offset: number };

/** As the library's own `parseAllDocuments`, which gathers without bound. */
function compose(
  text: string,
  file: string,
  lines: LineCounter,
  errors: Errors,
  { ifTooLarge }: DocumentAdvice,
): Document.Parsed | undefined {
  const composer = new Composer(OPTIONS);
  // Its own handler makes an exception of every error, with a stack: a file of commas would take minutes.
  composer['onError'] = (source: ErrorSource, code: string, message: string) => {
    if (code === 'RESOURCE_EXHAUSTION') throw errors.isFull ? errors.fault() : tooDeep(file);
    errors.add(typeof source === 'number' ? source : 'offset' in source ? source.offset : source[0], message);
  };
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let documents = 0;
  const composed: Document.Parsed[] = [];
  const take = (tokens: ReturnType<Parser['next']>) => {
    for (const token of tokens) {
      if (token.type === 'error') errors.add(token.offset, messageOf(token));
      else {
        if (token.type === 'document' || (token.type === 'doc-end' && documents === 0)) documents++;
        if (documents > 1) throw wholeFile(file, 'it holds more than one document', 'Take out the line "---"');
        composed.push(...composer.next(token));
      }
    }
  };
  let lexemes = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (++lexemes > MAX_LEXEMES) throw wholeFile(file, `it has more than ${MAX_LEXEMES} words and marks`, ifTooLarge);
    take(parser.next(lexeme));
  }
  take(parser.end());
  composed.push(...composer.end());
  return composed[0];
}

function messageOf({ message, source }: { readonly message: string; readonly source: string }): string {
  return source ? `${message}: ${JSON.stringify(source)}` : message;
}

/** What YAML finds wrong, up to as many as are told. */
class Errors {
  readonly found: { readonly offset: number; readonly message: string }[] = [];
  readonly #file: string;
  readonly #lines: LineCounter;

  constructor(file: string, lines: LineCounter) {
    this.#file = file;
    this.#lines = lines;
  }

  get isFull(): boolean {
    return this.found.length === MAX_FAULTS;
  }

  /** @throws {ConfigError} where it is one too many. */
  add(offset: number, message: string): void {
    if (this.isFull) throw this.fault();
    this.found.push({ offset, message });
  }

  fault(): ConfigError {
    const faults = this.found.map(({ offset, message }) => {
      const { line, col } = this.#lines.linePos(offset);
      return {
        file: this.#file,
        line: Math.max(line, 1),
        column: Math.max(col, 1),
        key: '',
        problem: `not YAML: ${sentence(message)}`,
        fix: 'Mend the line',
      };
    });
    return new ConfigError(faults.sort((a, b) => a.line - b.line || a.column - b.column));
  }
}

function sentence(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/\.$/, '').replace(/ at line \d+, column \d+:?$/, '');
}
