// Values of claims and traits: plain ones, and everything that a header, a matcher or a reader of JSON could take amiss.
// No I/O.

/** By number, so that a generator shrinks towards the plain one; `unique` makes it somebody's own. */
export function oddValue(n: number, unique: string): unknown {
  const value = VALUES[n % VALUES.length];
  return typeof value === 'function' ? value(unique) : value;
}

const PLAIN_SHARE = 210;
export const VALUE_COUNT = PLAIN_SHARE + 30;

const ODD: readonly unknown[] = [
  undefined,
  null,
  '',
  0,
  7,
  -1.5,
  1e21,
  2 ** 53,
  true,
  false,
  [],
  ['a'],
  ['a', 1, null],
  {},
  { a: { b: ['é'] } },
  'é',
  '日本 語',
  'a b',
  'a%20b',
  ' a',
  '\t',
  'a\r\nx-user-id: forged',
  'a\0b',
  'a,b',
  '"quoted"',
  '\ud800',
  '\u2028',
  'x'.repeat(256),
  'x'.repeat(257),
  '!"#$&\'()*+,-./:;<=>?@[\\]^_`{|}~',
];

const VALUES: readonly (unknown | ((unique: string) => unknown))[] = [
  ...Array<(unique: string) => string>(PLAIN_SHARE).fill((unique) => unique),
  ...ODD,
];

/** Sets a value at a path of own members, making what is missing on the way. */
export function setAt(root: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [first, ...rest] = path;
  if (first === undefined) return;
  if (rest.length === 0) {
    define(root, first, value);
    return;
  }
  const inner = Object.hasOwn(root, first) ? root[first] : undefined;
  const next: Record<string, unknown> =
    typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? { ...inner } : {};
  define(root, first, next);
  setAt(next, rest, value);
}

/** An own member, also of a name such as `__proto__`. */
function define(root: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(root, name, { value, enumerable: true, configurable: true, writable: true });
}
