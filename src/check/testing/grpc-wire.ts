// Messages of ext_authz as bytes, written and read by Envoy's field numbers and not by the schema under test. No I/O.
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

export interface WireCheck {
  readonly method?: string;
  readonly host?: string;
  /** With its query. */
  readonly target?: string;
  /** One character a byte. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** `raw` as with encode_raw_headers; `map` as without. Default `raw`. */
  readonly as?: 'raw' | 'map';
  /** Is called at every level of the message, and may add fields to it. */
  readonly more?: (writer: BinaryWriter) => void;
}

const latin1 = (text: string) => Buffer.from(text, 'latin1');

export function wireCheck({
  method = 'GET',
  host = 'app.example',
  target = '/',
  headers = [],
  as = 'raw',
  more = () => {},
}: WireCheck): Uint8Array {
  const message = (no: number, parent: BinaryWriter, fill: (child: BinaryWriter) => void) => {
    parent.tag(no, WireType.LengthDelimited).fork();
    more(parent);
    fill(parent);
    more(parent);
    parent.join();
  };
  const bytes = (no: number, writer: BinaryWriter, value: string) =>
    writer.tag(no, WireType.LengthDelimited).bytes(latin1(value));
  const entry = (no: number, writer: BinaryWriter, [name, value]: readonly [string, string], valueNo: number) =>
    message(no, writer, (header) => {
      bytes(1, header, name);
      bytes(valueNo, header, value);
    });
  const whole = new BinaryWriter();
  more(whole);
  message(1, whole, (attributes) =>
    message(4, attributes, (request) =>
      message(2, request, (http) => {
        bytes(2, http, method);
        if (as === 'map') for (const pair of headers) entry(3, http, pair, 2);
        bytes(4, http, target);
        bytes(5, http, host);
        if (as === 'raw')
          message(13, http, (map) => {
            for (const pair of headers) entry(1, map, pair, 3);
          });
      }),
    ),
  );
  return whole.finish();
}

/** An answer, by field numbers. */
export interface WireAnswer {
  /** That of google.rpc.Status. */
  readonly code: number;
  readonly kind: 'ok' | 'denied';
  /** Of a denial. */
  readonly httpStatus: number | undefined;
  readonly headers: readonly WireHeader[];
  readonly remove: readonly string[];
  readonly responseHeaders: readonly WireHeader[];
  readonly body: string;
  readonly metadata: Readonly<Record<string, string>>;
}

interface WireHeader {
  readonly name: string;
  readonly value: string;
  /** 0 appends, 2 overwrites. */
  readonly action: number;
}

type Fields = Map<number, (Uint8Array | number)[]>;

export function wireAnswer(message: Uint8Array): WireAnswer {
  const whole = fields(message);
  const ok = whole.has(3);
  const inner = fields(one(whole, ok ? 3 : 2));
  const structured = whole.get(4) ?? [];
  const metadata = structured
    .flatMap((struct) => fields(struct).get(1) ?? [])
    .map((field): [string, string] => {
      const pair = fields(field);
      return [text(one(pair, 1)), text(one(fields(one(pair, 2)), 3))];
    });
  return {
    code: number(fields(one(whole, 1)), 1),
    kind: ok ? 'ok' : 'denied',
    httpStatus: ok ? undefined : number(fields(one(inner, 1)), 1),
    headers: (inner.get(2) ?? []).map(header),
    remove: ok ? (inner.get(5) ?? []).map(text) : [],
    responseHeaders: ok ? (inner.get(6) ?? []).map(header) : [],
    body: ok ? '' : text(one(inner, 3)),
    metadata: Object.fromEntries(metadata),
  };
}

function header(option: Uint8Array | number): WireHeader {
  const outer = fields(option);
  const pair = fields(one(outer, 1));
  return { name: text(one(pair, 1)), value: text(one(pair, 2)), action: number(outer, 3) };
}

function fields(message: Uint8Array | number): Fields {
  const found: Fields = new Map();
  if (typeof message === 'number') throw new Error('a number where a message was expected');
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [no, type] = reader.tag();
    const value = type === WireType.Varint ? reader.uint32() : reader.bytes();
    found.set(no, [...(found.get(no) ?? []), value]);
  }
  return found;
}

function one(from: Fields, no: number): Uint8Array | number {
  return from.get(no)?.at(-1) ?? new Uint8Array();
}

function number(from: Fields, no: number): number {
  const value = from.get(no)?.at(-1) ?? 0;
  if (typeof value !== 'number') throw new Error(`field ${no} is no number`);
  return value;
}

function text(value: Uint8Array | number): string {
  if (typeof value === 'number') throw new Error('a number where a text was expected');
  return Buffer.from(value).toString('utf8');
}
