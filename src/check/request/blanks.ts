// Blanks as HTTP has them, on whatever a client sent: one pass, never a regular expression, which can take time in the
// square of what it is given. No I/O.

export function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** Space and tab alone, as HTTP has them: JavaScript's own trim takes more for a blank than any other reader. */
export function trimBlanks(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}
