// Names that Kubernetes takes. No I/O.
import { createHash } from 'node:crypto';

/** Of a label (RFC 1123), which every kind of object takes for a name. */
const MAX_NAME = 63;
const HASH_LENGTH = 8;

/**
 * Gives names out, each once. A text that is no label (RFC 1123), that is too long or that was given before becomes one
 * with a hash of the whole text at its end: the same text in the same place has the same name from run to run.
 */
export class Names {
  readonly #taken: Set<string>;

  /** @param taken that are given to others already */
  constructor(taken: Iterable<string> = []) {
    this.#taken = new Set(taken);
  }

  /** @param text such as `ory-orders-read` */
  give(text: string): string {
    const plain = label(text);
    let name = plain === text && plain.length <= MAX_NAME ? plain : hashed(plain, text);
    for (let n = 2; this.#taken.has(name); n++) name = hashed(plain, `${text} ${n}`);
    this.#taken.add(name);
    return name;
  }
}

/** Whether Kubernetes takes it for the name of a namespace. */
export function isLabel(text: string): boolean {
  return text.length <= MAX_NAME && /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/.test(text);
}

function label(text: string): string {
  const plain = text
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return plain === '' ? 'x' : plain;
}

function hashed(plain: string, text: string): string {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, HASH_LENGTH);
  return `${plain.slice(0, MAX_NAME - HASH_LENGTH - 1).replace(/-+$/, '')}-${hash}`;
}
