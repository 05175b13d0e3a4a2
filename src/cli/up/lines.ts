// What the parts write, as one kind of record, and how a record looks to people and to programs. No I/O.

const PART_NAMES = ['up', 'envoy', 'authorizer', 'ory', 'pages', 'app'] as const;
export type PartName = (typeof PART_NAMES)[number];

export interface LogRecord {
  readonly part: PartName;
  readonly level: 'info' | 'warn' | 'error';
  /** What happened, in a word, for programs. */
  readonly event?: string;
  /** For people. */
  readonly message: string;
  /** For programs; the message says what people need of it. */
  readonly data?: object;
}

const ENVOY_LINE = /^\[[\d :.-]+\]\[\d+\]\[(\w+)\]\[[^\]]*\] (?:\[[^\]]*\] )?(.*)$/;

/** A line as a part wrote it: JSON of the authorizer, Envoy's log, Envoy's access log, or plain words. */
export function readLine(part: PartName, line: string): LogRecord {
  const envoy = part === 'envoy' ? ENVOY_LINE.exec(line) : undefined;
  if (envoy) return { part, level: levelOf(envoy[1] ?? ''), message: envoy[2] ?? '' };
  const json = parseObject(line);
  if (json && part === 'envoy') return accessRecord(json);
  if (json && typeof json['msg'] === 'string') return pinoRecord(part, json);
  return { part, level: 'info', message: line };
}

function levelOf(word: string): LogRecord['level'] {
  if (word === 'warning' || word === 'warn') return 'warn';
  return word === 'error' || word === 'critical' ? 'error' : 'info';
}

function parseObject(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function accessRecord(data: Record<string, unknown>): LogRecord {
  const words = [data['method'], data['path'], data['status'], data['rule'], data['reason']];
  const decider = data['decided_by'] === undefined ? '' : ` (${data['decided_by']})`;
  const message = `${words.map((word) => word ?? '-').join(' ')}${decider} ${data['duration_ms'] ?? '-'} ms`;
  return { part: 'envoy', level: 'info', event: 'request', message, data };
}

function pinoRecord(part: PartName, json: Record<string, unknown>): LogRecord {
  const { level, time: _, msg, ...data } = json;
  const number = Number(level);
  const name = number >= 50 ? 'error' : number >= 40 ? 'warn' : 'info';
  return { part, level: name, message: String(msg), ...(Object.keys(data).length > 0 ? { data } : {}) };
}

const COLOURS: Readonly<Record<PartName, number>> = { up: 36, envoy: 35, authorizer: 32, ory: 33, pages: 96, app: 34 };
const RED = 31;
const YELLOW = 33;
const NAME_WIDTH = Math.max(...PART_NAMES.map((name) => name.length));

/** One line, or for a message of several lines as many, each with the part's name. */
export function formatText(record: LogRecord, coloured: boolean): string {
  const paint = (colour: number, text: string) => (coloured ? `\x1b[${colour}m${text}\x1b[0m` : text);
  const name = paint(COLOURS[record.part], record.part.padEnd(NAME_WIDTH));
  const level = record.level === 'info' ? '' : `${paint(record.level === 'error' ? RED : YELLOW, record.level)} `;
  const data = record.data && record.event === undefined ? ` ${formatData(record.data)}` : '';
  return record.message
    .split('\n')
    .map((line, i, lines) =>
      `${name}  ${level}${visible(line)}${i === lines.length - 1 ? visible(data) : ''}`.trimEnd(),
    )
    .join('\n');
}

function formatData(data: object): string {
  return Object.entries(data)
    .map(
      ([key, value]) =>
        `${key}=${typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)}`,
    )
    .join(' ');
}

export function formatJson({ part, level, event, message, data }: LogRecord, nowMs: number): string {
  return visible(
    JSON.stringify({ time: new Date(nowMs).toISOString(), part, level, event, message, data }),
    jsonEscape,
  );
}

/** Control characters, and those that turn the direction of the text around them. */
const UNSEEN = /[\p{Cc}\u{200e}\u{200f}\u{202a}-\u{202e}\u{2066}-\u{2069}]/gu;

/** What a part passes on from a client must not speak to the terminal. */
function visible(text: string, write = (code: string) => `\\x${code}`): string {
  return text.replace(UNSEEN, (character) => write(character.charCodeAt(0).toString(16).padStart(2, '0')));
}

function jsonEscape(code: string): string {
  return `\\u${code.padStart(4, '0')}`;
}
