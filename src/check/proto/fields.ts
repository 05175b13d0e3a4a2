// Protobuf on the wire, as far as ext_authz needs it: the fields of a message, read and written. No I/O.
// https://protobuf.dev/programming-guides/encoding/

/** Where the content of a field stands in the bytes: from `from` up to `to`. */
export type Visit = (no: number, from: number, to: number) => void;

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
const GROUP = 3;
const GROUP_END = 4;
const FIXED_32 = 5;

const MAX_VARINT_BYTES = 10;
/** Envoy writes none; some depth is allowed to whoever writes one some day. */
const MAX_GROUPS = 100;

/**
 * Visits what is length-delimited (texts, bytes, messages) in the message at `from`, in the order of the wire. Anything else
 * is passed over: here nothing is read from it.
 * @throws where the bytes are no message.
 */
export function eachField(bytes: Uint8Array, from: number, to: number, visit: Visit): void {
  let at = from;
  const varint = (): number => {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < MAX_VARINT_BYTES && at < to; i++) {
      const byte = bytes[at++] as number;
      if (byte < 0x80) return value + byte * scale;
      // What is beyond 2^53 is no length and no tag, whatever it has become.
      value += (byte - 0x80) * scale;
      scale *= 128;
    }
    throw new MessageError();
  };
  const advance = (length: number): void => {
    if (length > to - at) throw new MessageError();
    at += length;
  };
  const groups: number[] = [];
  while (at < to) {
    const tag = varint();
    const no = Math.floor(tag / 8);
    if (no < 1 || no > MAX_FIELD_NUMBER) throw new MessageError();
    switch (tag % 8) {
      case VARINT:
        varint();
        break;
      case FIXED_64:
        advance(8);
        break;
      case LENGTH_DELIMITED: {
        const length = varint();
        const start = at;
        advance(length);
        if (groups.length === 0) visit(no, start, at);
        break;
      }
      case GROUP:
        if (groups.push(no) > MAX_GROUPS) throw new MessageError();
        break;
      case GROUP_END:
        if (groups.pop() !== no) throw new MessageError();
        break;
      case FIXED_32:
        advance(4);
        break;
      default:
        throw new MessageError();
    }
  }
  if (groups.length > 0) throw new MessageError();
}

const MAX_FIELD_NUMBER = 536_870_911;

class MessageError extends Error {
  override readonly name = 'MessageError';

  constructor() {
    super('the bytes are no message');
  }
}

/** A field with a text or a message. Protobuf leaves out empty texts; an empty message says that it is there. */
export function field(no: number, ...content: readonly (string | Uint8Array)[]): Buffer {
  let length = 0;
  for (const one of content) length += typeof one === 'string' ? Buffer.byteLength(one) : one.length;
  const tag = no * 8 + LENGTH_DELIMITED;
  const bytes = Buffer.allocUnsafe(varintLength(tag) + varintLength(length) + length);
  let at = writeVarint(bytes, writeVarint(bytes, 0, tag), length);
  for (const one of content) {
    if (typeof one === 'string') at += bytes.write(one, at);
    else {
      bytes.set(one, at);
      at += one.length;
    }
  }
  return bytes;
}

/** A field with a number, which is not negative. */
export function numberField(no: number, value: number): Buffer {
  const bytes = Buffer.allocUnsafe(varintLength(no * 8 + VARINT) + varintLength(value));
  writeVarint(bytes, writeVarint(bytes, 0, no * 8 + VARINT), value);
  return bytes;
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) length++;
  return length;
}

/** @returns where it ends. */
function writeVarint(bytes: Uint8Array, from: number, value: number): number {
  let at = from;
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 0x80;
  bytes[at++] = rest;
  return at;
}
