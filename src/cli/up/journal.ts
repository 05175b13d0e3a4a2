// Where `up` and its parts write: standard error for what happens, standard output for the result. Writes to both.
import { formatJson, formatText, type LogRecord, type PartName, readLine } from './lines.ts';

export class Journal {
  readonly json: boolean;
  readonly #coloured: boolean;

  constructor(json: boolean, env: Readonly<Record<string, string | undefined>> = process.env) {
    this.json = json;
    this.#coloured = !json && wantsColour(process.stderr.isTTY === true, env);
  }

  write(record: LogRecord): void {
    process.stderr.write(`${this.json ? formatJson(record, Date.now()) : formatText(record, this.#coloured)}\n`);
  }

  /** What a part wrote. */
  line(part: PartName, line: string): void {
    if (line.trim() !== '') this.write(readLine(part, line));
  }

  info(message: string, more: Pick<LogRecord, 'event' | 'data'> = {}): void {
    this.write({ part: 'up', level: 'info', message, ...more });
  }

  warn(message: string, more: Pick<LogRecord, 'event' | 'data'> = {}): void {
    this.write({ part: 'up', level: 'warn', message, ...more });
  }

  error(message: string, more: Pick<LogRecord, 'event' | 'data'> = {}): void {
    this.write({ part: 'up', level: 'error', message, ...more });
  }
}

/** https://no-color.org and https://force-color.org: set and not empty. */
export function wantsColour(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  if (env['NO_COLOR']) return false;
  if (env['FORCE_COLOR'] && env['FORCE_COLOR'] !== '0') return true;
  return isTerminal && env['FORCE_COLOR'] !== '0';
}
