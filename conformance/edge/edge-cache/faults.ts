// Copies of the edge cache's script that raise an error: one for each statement, each time that it is reached or every
// second time. No I/O.

export type Fires = 'always' | 'every second time';

export interface Faulty {
  /** Such as `at 79.2`: the line, and the statement in it. */
  readonly name: string;
  readonly code: string;
  readonly source: string;
  readonly runs: Place['runs'];
}

interface Place {
  readonly line: number;
  readonly column: number;
  /** `loading`: once, when Envoy takes the script; `caught`: then as well, and the script has a way out. */
  readonly runs: 'loading' | 'caught' | 'with a request';
}

/** Whatever begins a statement: a line, or what follows on one line. */
const WITHIN = /\b(?:then|else|do|function\([^)]*\))\s+(?=\S)/g;
const NO_STATEMENT = /^(?:$|--|end\b|else\b|elseif\b|[)}])/;

export function places(source: string): Place[] {
  const lines = source.split('\n');
  return lines.flatMap((text, line): Place[] => {
    const code = text.trimStart();
    if (NO_STATEMENT.test(code)) return [];
    const begins = text.length - code.length;
    const within = [...text.matchAll(WITHIN)].map(({ index, 0: before }) => index + before.length);
    const places = [begins, ...within].map((column) => ({ line, column }));
    return places.map((place) => ({
      ...place,
      runs: begins === 0 ? 'loading' : runsIn(functionOf(lines, line), text, place.column),
    }));
  });
}

/** The clock is chosen while the script is loaded, in `pcall`. */
function runsIn(name: string, text: string, column: number): Place['runs'] {
  if (name !== 'time_source' || text.slice(column).startsWith('return h:') || text.startsWith(' '.repeat(6)))
    return 'with a request';
  return text.startsWith(' '.repeat(4)) ? 'caught' : 'loading';
}

const RAISE = 'error("fault") ';
const RAISE_SOMETIMES = 'if ory_fault() then error("fault") end ';
const COUNTER = 'function ory_fault() ory_faults = (ory_faults or 0) + 1 return ory_faults % 2 == 0 end\n';

export function faulty(source: string, { line, column, runs }: Place, fires: Fires): Faulty {
  const lines = source.split('\n');
  const text = lines[line] ?? '';
  const code = text.slice(column);
  lines[line] = text.slice(0, column) + (fires === 'always' ? RAISE : RAISE_SOMETIMES) + code;
  return {
    name: `at-${line + 1}-${column}-${fires === 'always' ? 'a' : 's'}`,
    code: code.trim(),
    runs,
    // What the time is read from where there is no better clock, and what is done when it went back, are reached as well.
    source: (fires === 'always' ? '' : COUNTER) + reaching(lines.join('\n'), code, functionOf(lines, line)),
  };
}

function functionOf(lines: readonly string[], line: number): string {
  const heads = lines.slice(0, line + 1).filter((one) => /^(?:local )?function /.test(one));
  return /function (\w+)/.exec(heads.at(-1) ?? '')?.[1] ?? '';
}

function reaching(source: string, code: string, name: string): string {
  if (name === 'forget' || code.startsWith('forget()')) return source.replace('if now < clock then', 'if true then');
  return code.includes('h:timestamp()') ? source.replace('ffi.os == "Linux"', 'ffi.os == "none"') : source;
}
