// The one form in which request paths and rules' paths are compared. No I/O.

const HEX = '0123456789ABCDEF';
/**
 * Bytes that an escape may not stand for: `%`, `;`, `?`, `#`, both slashes, controls, and 0xC0 and 0xC1, which only begin
 * overlong UTF-8: old decoders read `%C0%AE` as a dot. RFC 3986's unreserved characters come on top.
 */
const FORBIDDEN_ESCAPES = new Set([0x25, 0x3b, 0x3f, 0x23, 0x2f, 0x5c, 0x7f, 0xc0, 0xc1]);

function isUnreserved(byte: number): boolean {
  return (
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x5f ||
    byte === 0x7e
  );
}

const SLASH = 0x2f;
const PERCENT = 0x25;
const DOT = 0x2e;
const PLAIN = 1;
const TO_ESCAPE = 2;
/** By byte: plain, to be escaped (what Envoy escapes by itself: `"<>^`{|}`, space, non-ASCII), or 0, refused. */
const PATH_BYTE = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (FORBIDDEN_ESCAPES.has(byte)) return 0;
  if (byte > 0x7f || ' "<>^`{|}'.includes(String.fromCharCode(byte))) return TO_ESCAPE;
  return byte > 0x20 && byte < 0x7f && !';?#\\%'.includes(String.fromCharCode(byte)) ? PLAIN : 0;
});

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x41 && code <= 0x46) return code - 0x37;
  if (code >= 0x61 && code <= 0x66) return code - 0x57;
  return -1;
}

/**
 * The one form in which paths are compared: escapes in upper case, bytes that need an escape escaped, and escapes of
 * characters that need none (`@`, `:`, `,` and the like) undone, since applications route on the decoded path.
 * `path` is without query, each character one byte. Undefined where two readers could take it differently:
 * dot segments, `//`, backslashes, `;`, controls, broken escapes, escapes of separators or unreserved characters.
 */
export function canonicalPath(path: string): string | undefined {
  if (path.charCodeAt(0) !== SLASH) return undefined;
  let out = '';
  let from = 0;
  let segmentStart = 1;
  for (let i = 1; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code === SLASH) {
      if (i === segmentStart || isDots(path, segmentStart, i)) return undefined;
      segmentStart = i + 1;
    } else if (code === PERCENT) {
      const byte = escapedByte(path, i);
      if (byte === undefined) return undefined;
      out += path.slice(from, i) + (PATH_BYTE[byte] === PLAIN ? String.fromCharCode(byte) : escapeByte(byte));
      i += 2;
      from = i + 1;
    } else if (PATH_BYTE[code] !== PLAIN) {
      if (PATH_BYTE[code] !== TO_ESCAPE) return undefined;
      out += path.slice(from, i) + escapeByte(code);
      from = i + 1;
    }
  }
  if (isDots(path, segmentStart, path.length)) return undefined;
  const canonical = from === 0 ? path : out + path.slice(from);
  return OVERLONG.test(canonical) ? undefined : canonical;
}

/** UTF-8 in more bytes than the character needs, in three to six: as 0xC0 and 0xC1 in two. */
const OVERLONG = /%(?:E0%[89]|F(?:0%8|8%8[0-7]|C%8[0-3]))/;

/** The byte of the escape at `at`, or undefined where it is broken or stands for a byte that must not be escaped. */
function escapedByte(path: string, at: number): number | undefined {
  const high = hexDigit(path.charCodeAt(at + 1));
  const low = hexDigit(path.charCodeAt(at + 2));
  if (high < 0 || low < 0) return undefined;
  const byte = high * 16 + low;
  return byte < 0x20 || FORBIDDEN_ESCAPES.has(byte) || isUnreserved(byte) ? undefined : byte;
}

function isDots(path: string, start: number, end: number): boolean {
  const length = end - start;
  if (length === 0 || length > 2 || path.charCodeAt(start) !== DOT) return false;
  return length === 1 || path.charCodeAt(start + 1) === DOT;
}

function escapeByte(byte: number): string {
  return `%${HEX[byte >> 4]}${HEX[byte & 15]}`;
}
