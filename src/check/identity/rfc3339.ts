// Times as Ory writes them. No I/O.

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Milliseconds since the epoch; NaN where the text is no time of RFC 3339: JavaScript reads one in nearly any text. */
export function rfc3339Ms(text: string): number {
  return TIME.test(text) ? Date.parse(text) : Number.NaN;
}
