// The check as Envoy's gRPC ext_authz sends it: a CheckRequest message of envoy.service.auth.v3. No I/O.
// Read by hand for speed: the numbers are those of proto/ext_authz.proto, and a test compares with what is made from it.

import { eachField } from '../proto/fields.ts';
import { WIRE } from '../wire.ts';
import type { CheckRequest } from './check-request.ts';
import { HeaderLines } from './header-lines.ts';

const CHECK = { attributes: 1 };
const ATTRIBUTES = { request: 4 };
const REQUEST = { http: 2 };
const HTTP = { method: 2, headers: 3, path: 4, host: 5, headerMap: 13 };
const HEADER_MAP = { headers: 1 };
const HEADER = { key: 1, value: 2, rawValue: 3 };

/**
 * Reads the raw header lines where Envoy sends them, else the joined ones. `jwtFailure` is the call's own metadata.
 * What is missing is empty, and is denied later.
 * @throws where the bytes are no CheckRequest.
 */
export function readGrpcCheck(message: Uint8Array, jwtFailure?: string): CheckRequest {
  const { method, host, path, lines } = new Reading(message);
  if (jwtFailure !== undefined) lines.add(WIRE.jwtFailure, jwtFailure);
  return lines.toRequest(method, host === '' ? undefined : host, path);
}

/** As protobuf has it: of a field that is there twice the last counts, but messages are joined and lists go on. */
class Reading {
  method = '';
  host = '';
  path = '';
  readonly #bytes: Uint8Array;
  /** One character a byte, as node:http has them. */
  readonly #text: string;
  readonly #joined = new HeaderLines();
  #raw: HeaderLines | undefined;

  constructor(message: Uint8Array) {
    this.#bytes = message;
    this.#text = Buffer.from(message.buffer, message.byteOffset, message.length).toString('latin1');
    this.#each(0, message.length, (no, from, to) => {
      if (no === CHECK.attributes) this.#attributes(from, to);
    });
  }

  get lines(): HeaderLines {
    return this.#raw ?? this.#joined;
  }

  #each(from: number, to: number, visit: (no: number, from: number, to: number) => void): void {
    eachField(this.#bytes, from, to, visit);
  }

  #attributes(from: number, to: number): void {
    this.#each(from, to, (no, start, end) => {
      if (no === ATTRIBUTES.request) this.#request(start, end);
    });
  }

  #request(from: number, to: number): void {
    this.#each(from, to, (no, start, end) => {
      if (no === REQUEST.http) this.#http(start, end);
    });
  }

  #http(from: number, to: number): void {
    this.#each(from, to, (no, start, end) => {
      switch (no) {
        case HTTP.method:
          this.method = this.#text.slice(start, end);
          break;
        case HTTP.path:
          this.path = this.#text.slice(start, end);
          break;
        case HTTP.host:
          this.host = this.#text.slice(start, end);
          break;
        case HTTP.headers:
          this.#header(start, end, this.#joined);
          break;
        case HTTP.headerMap:
          this.#headerMap(start, end);
          break;
      }
    });
  }

  #headerMap(from: number, to: number): void {
    this.#raw ??= new HeaderLines();
    const raw = this.#raw;
    this.#each(from, to, (no, start, end) => {
      if (no === HEADER_MAP.headers) this.#header(start, end, raw);
    });
  }

  #header(from: number, to: number, lines: HeaderLines): void {
    let key = '';
    let value = '';
    let rawValue = '';
    this.#each(from, to, (no, start, end) => {
      if (no === HEADER.key) key = this.#text.slice(start, end);
      else if (no === HEADER.value) value = this.#text.slice(start, end);
      else if (no === HEADER.rawValue) rawValue = this.#text.slice(start, end);
    });
    lines.add(key.toLowerCase(), rawValue === '' ? value : rawValue);
  }
}
