// Paths and patterns of any bytes, against a reading in single steps.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { saidSeed } from '../testing/seed.ts';
import { canonicalPath } from './path.ts';
import { parseHostPattern, parsePathGlob } from './pattern.ts';

const UNRESERVED = /^[A-Za-z0-9._~-]$/;

/** What DESIGN says of a path, one rule a line; escapes are those of Envoy in upper case, needless ones undone. */
function slowly(path: string): string | undefined {
  if (!path.startsWith('/')) return undefined;
  const out: string[] = [];
  for (const segment of path.slice(1).split('/')) {
    const bytes: string[] = [];
    for (let rest = segment; rest !== ''; ) {
      const escaped = /^%([0-9A-Fa-f]{2})/.exec(rest);
      const char = escaped ? String.fromCharCode(Number.parseInt(escaped[1] ?? '', 16)) : rest.charAt(0);
      if (!isByteOfPath(char, escaped !== null)) return undefined;
      bytes.push(written(char));
      rest = rest.slice(escaped ? 3 : 1);
    }
    out.push(bytes.join(''));
  }
  // An empty segment stands at the end alone; dots never.
  if (out.slice(0, -1).includes('') || out.includes('.') || out.includes('..')) return undefined;
  // UTF-8 in more bytes than it needs: of three to six bytes the second says so.
  const seconds: Readonly<Record<string, [from: string, to: string]>> = {
    E0: ['80', '9F'],
    F0: ['80', '8F'],
    F8: ['80', '87'],
    FC: ['80', '83'],
  };
  for (const segment of out) {
    const pairs = segment.matchAll(/%(..)(?=%(..))/g);
    for (const [, first = '', second = ''] of pairs) {
      const [from, to] = seconds[first] ?? ['Z', ''];
      if (second >= from && second <= to) return undefined;
    }
  }
  return `/${out.join('/')}`;
}

function isByteOfPath(char: string, escaped: boolean): boolean {
  const code = char.charCodeAt(0);
  if (code > 0xff || code < 0x20 || code === 0x7f) return false;
  if ('%;?#/\\'.includes(char)) return false;
  // The first bytes of overlong UTF-8.
  if (code === 0xc0 || code === 0xc1) return false;
  return !(escaped && UNRESERVED.test(char));
}

/** RFC 3986's pchar without ";" and "%", and the brackets, which Envoy leaves as they are. */
function written(char: string): string {
  return /^[A-Za-z0-9._~!$&'()*+,=:@[\]-]$/.test(char)
    ? char
    : `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
const escaped = fc.integer({ min: 0, max: 255 }).map((code) => `%${code.toString(16).padStart(2, '0')}`);
const piece = fc.oneof(
  fc.constantFrom('/', '/', '.', '..', '%', '%4', '%2E', 'a', 'b', '*', '**', ';', '\\'),
  byte,
  escaped,
  escaped.map((text) => text.toUpperCase()),
  fc.string({ unit: 'binary', maxLength: 2 }),
);
const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));

describe('the canonical path', () => {
  test('is that of a reading in single steps, whatever the bytes', () => {
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.oneof(
          text.map((one) => `/${one}`),
          text,
        ),
        (path) => {
          const expected = slowly(path);
          expect(canonicalPath(path)).toBe(expected);
          if (expected !== undefined) accepted++;
        },
      ),
      { numRuns: 20_000 },
    );
    expect(accepted, saidSeed()).toBeGreaterThan(2_000);
  });

  test('is that for each byte, alone, within a segment, and escaped', () => {
    for (let code = 0; code < 256; code++) {
      const char = String.fromCharCode(code);
      const hex = code.toString(16).padStart(2, '0');
      for (const path of [`/${char}`, `/a${char}b`, `/%${hex}`, `/a%${hex.toUpperCase()}b`])
        expect(canonicalPath(path), JSON.stringify(path)).toBe(slowly(path));
    }
  });
});

describe('patterns', () => {
  test('a glob of literals is accepted exactly where it is a path, and stands for that path', () => {
    fc.assert(
      fc.property(text, (one) => {
        const source = `/${one}`;
        const parsed = parsePathGlob(source);
        if (source.includes('*')) return;
        const canonical = slowly(Buffer.from(source, 'utf8').toString('latin1'));
        expect(parsed.ok && !parsed.value.rest ? `/${parsed.value.segments.join('/')}` : undefined).toBe(canonical);
      }),
      { numRuns: 10_000 },
    );
  });

  test('whatever is written, it is read or refused in words', () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: 'binary' })), (source) => {
        for (const parsed of [parsePathGlob(source), parseHostPattern(source)]) {
          if (!parsed.ok) expect([parsed.problem, parsed.fix].every((words) => words.length > 0)).toBe(true);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});
