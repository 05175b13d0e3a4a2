// Paths with one reading, as RE2. Gateway API cannot refuse what does not match, so whatever is judged natively matches
// nothing else; the rest is asked or refused. No I/O.
import { canonicalPath } from '../../config/path.ts';
import { ANY, type PathGlob } from '../../config/pattern.ts';
import { charClass, escapeOf, escapesRegex, literalRegex, plainCharacters } from '../envoy/path-matchers.ts';

/** Of a path in an HTTPRoute, less what precedence.ts may add. */
export const MAX_PATH = 900;

const CONTINUATIONS = bytes(0x80, 0xbf);

/** One character of a segment, or the escape of one: the bytes that `canonicalPath` takes, made by asking it. */
const UNIT = unit();

/** A rule's paths, as far as each has one reading. */
export function plainPathOf(glob: PathGlob): string {
  const parts = glob.segments.map((segment) => (segment === ANY ? `/${UNIT}+` : `/${literalRegex(segment)}`));
  if (!glob.rest) return parts.join('');
  const rest = `/(?:${UNIT}+/?)*`;
  return parts.length === 0 ? rest : `${parts.join('')}(?:${rest})?`;
}

/** Every path that has one reading. */
export const PLAIN_PATH = `/(?:${UNIT}+/?)*`;

function unit(): string {
  const characters = plainCharacters().filter((code) => String.fromCharCode(code) !== '/');
  const alone: number[] = [];
  const pairs: string[] = [];
  // No character begins with a byte above 0xF4 (RFC 3629): such paths are not judged natively, for shortness.
  for (const byte of bytes(0, 0xf4)) {
    if (!isTaken(escapeOf(byte))) continue;
    const next = CONTINUATIONS.filter((after) => isTaken(escapeOf(byte) + escapeOf(after)));
    // Overlong UTF-8 is told by its second byte.
    if (next.length === CONTINUATIONS.length) alone.push(byte);
    else pairs.push(`%${escapesRegex([byte])}%(?:${escapesRegex(next)})`);
  }
  return `(?:${[charClass(characters), `%(?:${escapesRegex(alone)})`, ...pairs].join('|')})`;
}

function isTaken(escaped: string): boolean {
  return canonicalPath(`/${escaped}`) !== undefined;
}

function bytes(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
