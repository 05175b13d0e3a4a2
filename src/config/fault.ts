// What is wrong with a configuration file: where, what, and how to fix it. No I/O.

/** More faults than this help nobody, and each costs a search for its place. */
export const MAX_FAULTS = 100;

/** One fault. `path` leads to the value, or with `atKey` to the key itself; the loader turns it into line and column. */
export interface Fault {
  readonly path: readonly (string | number)[];
  readonly atKey?: boolean;
  /** The place itself, as an offset into the text, where the path does not lead there. */
  readonly at?: number;
  readonly problem: string;
  readonly fix: string;
}

/** A fault at its place in the file. Lines and columns count from 1. */
export interface LocatedFault {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** As a user would name the value: `rules[2].match.path`; empty for the file as a whole. */
  readonly key: string;
  readonly problem: string;
  readonly fix: string;
}

/**
 * A configuration that stops the start. The message has one line a fault:
 * `file:line:column: key: problem. Fix.`
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'ERR_CONFIG';
  readonly faults: readonly LocatedFault[];

  constructor(faults: readonly LocatedFault[]) {
    super(faults.map(formatFault).join('\n'));
    this.faults = faults;
  }
}

export function keyName(path: readonly (string | number)[]): string {
  let name = '';
  for (const step of path) {
    if (typeof step === 'number') name += `[${step}]`;
    else name += name === '' ? step : `.${step}`;
  }
  return name;
}

const MAX_LISTED = 4;

/** Names in a sentence: all of a few. */
export function listed(names: readonly string[]): string {
  const told = names.length > MAX_LISTED ? [...names.slice(0, MAX_LISTED), `${names.length - MAX_LISTED} more`] : names;
  return told.length < 2 ? told.join() : `${told.slice(0, -1).join(', ')} and ${told.at(-1)}`;
}

function formatFault(fault: LocatedFault): string {
  const key = fault.key === '' ? '' : `${fault.key}: `;
  return oneLine(`${fault.file}:${fault.line}:${fault.column}: ${key}${fault.problem}. ${fault.fix}`);
}

/** A fault may quote the file: nothing in it begins a new line or speaks to a terminal. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
