// Where the edge reads a request otherwise than the engine would, and why. What the engine says of the request as it is
// read there must be what the edge says: a difference is no licence. One that a long run never sees has no place here. No I/O.
import type { Transport } from '../../src/generate/envoy/transport.ts';
import type { Request } from './request.ts';

type Lines = Request['lines'];

export interface Difference {
  readonly name: string;
  readonly why: string;
  /** The lines as the edge reads them; the same where the difference does not apply. */
  readonly read: (lines: Lines, transport: Transport) => Lines;
}

export const DIFFERENCES: readonly Difference[] = [
  {
    name: 'several lines of one header over HTTP',
    why: 'Envoy joins them with a comma where it asks over HTTP, and a cookie that begins behind a comma is none',
    read: (lines, transport) => (transport === 'http' ? joined(lines) : lines),
  },
  {
    name: 'bytes that are not UTF-8 over HTTP',
    why: 'Envoy writes "!" for each of them where it asks over HTTP',
    read: (lines, transport) =>
      transport === 'http' ? lines.map(([name, value]) => [name, withoutOtherBytes(value)] as const) : lines,
  },
];

function joined(lines: Lines): Lines {
  const byName = Map.groupBy(lines, ([name]) => name.toLowerCase());
  return [...byName].map(([name, all]) => [name, all.map(([, value]) => value).join(',')] as const);
}

/** One character of UTF-8, longest first; overlong and surrogates need no care: nobody sends them here. */
const UTF8 = /[\xf0-\xf4][\x80-\xbf]{3}|[\xe0-\xef][\x80-\xbf]{2}|[\xc2-\xdf][\x80-\xbf]|[^\x80-\xff]/y;

/** `value` has one character a byte. */
function withoutOtherBytes(value: string): string {
  let out = '';
  for (let i = 0; i < value.length; ) {
    UTF8.lastIndex = i;
    const found = UTF8.exec(value)?.[0];
    out += found ?? '!';
    i += found?.length ?? 1;
  }
  return out;
}
