// What a client may do to a path so that two readers take it for different ones. No I/O.

type Change = (path: string, n: number) => string;

const CHANGES = {
  slash: (path) => `${path}/`,
  noSlash: (path) => path.replace(/(.)\/$/, '$1'),
  longer: (path, n) => `${path}/${pick(['x', '', 'admin', '*', '**'], n)}`,
  grown: (path, n) => (n % 2 === 0 ? `${path}x` : atSlash(path, n >> 1, 'x/')),
  shorter: (path) => path.replace(/(.)?\/[^/]*$/, '$1') || '/',
  double: (path, n) => atSlash(path, n, '//'),
  dot: (path, n) => atSlash(path, n, pick(['/./', '/%2e/', '/.%2f'], n)),
  up: (path, n) => atSlash(path, n, pick(['/x/../', '/../', '/x/%2e%2E/', '/..;/', '/..%2f', '/x/..', '/..\\'], n)),
  upAtEnd: (path, n) => `${path}${pick(['/..', '/.', '/../..', '/x/..', '/%2e%2e', '/..;x'], n)}`,
  case: (path, n) => at(path, n, (char) => (char === char.toUpperCase() ? char.toLowerCase() : char.toUpperCase())),
  escaped: (path, n) => at(path, n, (char) => `%${hex(char, n % 2 === 0)}`),
  unescaped: (path) =>
    path.replace(/%[0-9A-F]{2}/, (found) => String.fromCharCode(Number.parseInt(found.slice(1), 16))),
  lower: (path) => path.replace(/%[0-9A-F]{2}/g, (found) => found.toLowerCase()),
  insert: (path, n) => at(path, n, (char) => char + pick(ODD, n)),
  append: (path, n) => path + pick(ODD, n),
} satisfies Record<string, Change>;

export type PathChange = keyof typeof CHANGES;
export const PATH_CHANGES = Object.keys(CHANGES) as PathChange[];

const ODD = [
  ...[
    ';',
    ';x=1',
    '..;',
    '%',
    '%2',
    '%zz',
    '%u0041',
    '%00',
    '%01',
    '%7f',
    '%25',
    '%252e',
    '%252f',
    '%3b',
    '%3f',
    '%23',
  ],
  ...[
    '%2f',
    '%2F',
    '%5c',
    '\\',
    '%c0%ae',
    '%c3%a9',
    '%E2%80%A8',
    '%40',
    '%7c',
    '|',
    '^',
    '`',
    '"',
    '<',
    '{',
    '#',
    '#x',
  ],
  ...[
    '\xe9',
    '\xc3\xa9',
    '\xff',
    '%20',
    '+',
    '*',
    "'",
    '(',
    '!',
    '$',
    ',',
    '=',
    '@',
    '~',
    '%7e',
    '%2d',
    '\x7f',
    '\x01',
  ],
];

function pick<T>(values: readonly T[], n: number): T {
  return values[n % values.length] as T;
}

function hex(char: string, upper: boolean): string {
  const digits = char.charCodeAt(0).toString(16).padStart(2, '0');
  return upper ? digits.toUpperCase() : digits;
}

/** The nth slash, replaced. */
function atSlash(path: string, n: number, text: string): string {
  const slashes = [...path.matchAll(/\//g)].map(({ index }) => index);
  const index = pick(slashes, n);
  return path.slice(0, index) + text + path.slice(index + 1);
}

/** A character, but the first slash. */
function at(path: string, n: number, change: (char: string) => string): string {
  if (path.length < 2) return path;
  const index = 1 + (n % (path.length - 1));
  return path.slice(0, index) + change(path.charAt(index)) + path.slice(index + 1);
}

/** Without a blank as it is: it would end the path, and what follows would be no HTTP. */
export function changePath(path: string, change: PathChange, n: number): string {
  return CHANGES[change](path, n).replaceAll(' ', '%20');
}

/** A path that nobody changes on the way: it needs no asking what Envoy makes of it. */
export function isPlain(path: string): boolean {
  return /^(?:\/|(?:\/[A-Za-z0-9_-][A-Za-z0-9_.@$&'()*+,=:!~[\]-]*)+\/?)$/.test(path);
}
