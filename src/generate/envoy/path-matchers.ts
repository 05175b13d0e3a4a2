// Rules' paths, hosts and methods as Envoy matchers, equal to src/config/pattern.ts, and the two expressions that tell
// which paths and hosts have one reading only. RE2, always on the whole value. No I/O.
import { canonicalPath } from '../../config/path.ts';
import { ANY, type HostPattern, type PathGlob } from '../../config/pattern.ts';
import type { Block, Value } from '../yaml.ts';

/** `match` of a rule's route. The path matchers of Envoy look at the path without its query. */
export function routeMatch(
  path: PathGlob,
  host: HostPattern | undefined,
  methods: readonly string[] | undefined,
): Block {
  const headers: Value[] = [];
  if (host) headers.push({ name: ':authority', string_match: { safe_regex: { regex: hostRegex(host) } } });
  if (methods) headers.push({ name: ':method', string_match: methodMatch(methods) });
  return headers.length === 0 ? pathMatch(path) : { ...pathMatch(path), headers };
}

function methodMatch(methods: readonly string[]): Block {
  const [only] = methods;
  return methods.length === 1 && only !== undefined ? { exact: only } : { safe_regex: { regex: methods.join('|') } };
}

/** RFC 3986's unreserved characters have one spelling; others may be escaped. */
const UNRESERVED = /^[\w.~-]*$/;

/** The plainest matcher that means the glob. */
export function pathMatch(glob: PathGlob): Block {
  const literal = glob.segments.every((segment) => segment !== ANY && UNRESERVED.test(segment));
  if (!literal) return { safe_regex: { regex: pathRegex(glob) } };
  const path = `/${glob.segments.map(String).join('/')}`;
  if (!glob.rest) return { path };
  return glob.segments.length === 0 ? { prefix: '/' } : { path_separated_prefix: path };
}

export function pathRegex(glob: PathGlob): string {
  const parts = glob.segments.map((segment) => (segment === ANY ? '/[^/]+' : `/${literalRegex(segment)}`));
  if (!glob.rest) return parts.join('');
  return parts.length === 0 ? '/.*' : `${parts.join('')}(?:/.*)?`;
}

/** Every spelling of a literal: hex digits in either case, and characters such as `@` as themselves or escaped. */
export function literalRegex(text: string): string {
  return text.replace(
    /%([0-9A-F])([0-9A-F])|([^%\w.~-])|\./g,
    (found, high?: string, low?: string, reserved?: string) => {
      if (high !== undefined && low !== undefined) return escapeRegex(high, low);
      if (reserved === undefined) return quote(found);
      const [first = '', second = ''] = reserved.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0');
      return `(?:${quote(reserved)}|${escapeRegex(first, second)})`;
    },
  );
}

function escapeRegex(high: string, low: string): string {
  return `%${hexRegex(high)}${hexRegex(low)}`;
}

function hexRegex(digit: string): string {
  return /\d/.test(digit) ? digit : `[${digit}${digit.toLowerCase()}]`;
}

/** A text as an expression that matches it alone. */
export function quote(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');
}

/** On `:authority` as the client sent it: to strip its port or dot would change what the application receives. */
export function hostRegex(host: HostPattern): string {
  if (host.exact?.startsWith('[')) return `(?i)${quote(host.exact)}(?::[0-9]*)?`;
  const name = host.exact === undefined ? `.+${quote(host.suffix ?? '')}` : quote(host.exact);
  return `(?i)${name}\\.?(?::[0-9]*)?`;
}

/** Envoy refuses a larger RE2 program unless `re2.max_program_size.error_level` says otherwise; hosts and globs can be long. */
export const MAX_REGEX_PROGRAM = 10_000;

/** A host that has one reading: a name or a bracketed address, and at most one port. */
export const PLAIN_HOST = '(?:[A-Za-z0-9_-]+(?:\\.[A-Za-z0-9_-]+)*\\.?|\\[[0-9a-fA-F:.]+\\])(?::[0-9]*)?';

const BYTES = Array.from({ length: 256 }, (_, byte) => byte);

/**
 * `:path`, query included, of a request whose path is made only of characters and escapes that have one reading: those
 * that `canonicalPath` keeps, made by asking it about every byte. A list of what to refuse would let pass what it forgot.
 */
export function plainPathRegex(): string {
  const escapes = BYTES.filter((byte) => canonicalPath(`/${escapeOf(byte)}`) !== undefined);
  return `/(?:${charClass(plainCharacters())}|%(?:${escapesRegex(escapes)}))*(?:\\?\\C*)?`;
}

/** Codes of the characters that a path has as they are, `/` among them. */
export function plainCharacters(): number[] {
  return BYTES.filter((byte) => {
    const path = `/${String.fromCharCode(byte)}x`;
    return byte === SLASH || canonicalPath(path) === path;
  });
}

export function escapeOf(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** The two hex digits of any of these bytes, in either case, as alternatives. */
export function escapesRegex(bytes: readonly number[]): string {
  const byHigh = Map.groupBy(bytes, (byte) => hexDigits(byte).charAt(0));
  const lowsOf = (high: string) => (byHigh.get(high) ?? []).map((byte) => hexDigits(byte).charAt(1)).join('');
  const byLows = Map.groupBy(byHigh.keys(), lowsOf);
  return [...byLows].map(([lows, highs]) => `${hexClass(highs.join(''))}${hexClass(lows)}`).join('|');
}

function hexDigits(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

const SLASH = 0x2f;

/** `:path` with a segment that the normalisation should have taken away: an empty one before the end, `.` or `..`. */
export const UNNORMALISED_PATH = '[^?]*/(?:/[^?]*|\\.\\.?(?:/[^?]*)?)(?:\\?\\C*)?';

/** `:path` with what `canonicalPath` refuses as overlong UTF-8; the two-byte forms are no plain path. */
export const OVERLONG_ESCAPE = '[^?]*%(?:[eE]0%[89]|[fF](?:0%8|8%8[0-7]|[cC]%8[0-3]))\\C*';

function hexClass(digits: string): string {
  const both = new Set([...digits.toLowerCase(), ...digits.toUpperCase()]);
  return charClass([...both].map((digit) => digit.charCodeAt(0)).sort((a, b) => a - b));
}

/** Codes in ascending order as a class of ranges. */
export function charClass(codes: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const code of codes) {
    const last = ranges.at(-1);
    if (last?.[1] === code - 1) last[1] = code;
    else ranges.push([code, code]);
  }
  const show = (code: number) => String.fromCharCode(code).replace(/[\]\\[^-]/, '\\$&');
  const text = ranges.map(([from, to]) => {
    if (from === to) return show(from);
    return to === from + 1 ? show(from) + show(to) : `${show(from)}-${show(to)}`;
  });
  return codes.length === 1 ? text.join('') : `[${text.join('')}]`;
}
