// A case as it is judged: the request as it goes out, and what is expected of it. No I/O.
import { trimBlanks } from '../../check/request/blanks.ts';
import type { CaseEntry, CredentialEntry, Expectation } from './schema.ts';

/** A header line; its value is as it goes over the wire, one character a byte. */
export type HeaderLine = readonly [name: string, value: string];

export interface Case {
  readonly name: string;
  /** Of the file, from 1. */
  readonly line: number;
  readonly request: CaseRequest;
  readonly credential: CredentialEntry | undefined;
  readonly expect: Expectation;
}

export interface CaseRequest {
  readonly method: string;
  /** As the file has it. */
  readonly url: string;
  /** With its port, where the file gives one. */
  readonly host: string;
  /** Path and query, one character a byte: nothing is normalised. */
  readonly target: string;
  readonly headers: readonly HeaderLine[];
}

/** `publicUrl`: whose host a path alone stands for. */
export function caseOf({ name, request, credential, expect }: CaseEntry, line: number, publicUrl: string): Case {
  const { method, url, headers = {} } = request;
  const [, host = new URL(publicUrl).host, target = ''] = /^(?:https?:\/\/([^/?]+))?(.*)$/su.exec(url) ?? [];
  return {
    name,
    line,
    request: {
      method,
      url,
      host: bytes(host),
      target: bytes(target.startsWith('/') ? target : `/${target}`),
      headers: Object.entries(headers).flatMap(([header, values]) =>
        [values].flat().map((value): HeaderLine => [header, withoutBlanks(bytes(value))]),
      ),
    },
    credential,
    expect,
  };
}

/** Blanks around a value are no part of it (RFC 9110, section 5.5). */
function withoutBlanks(value: string): string {
  return trimBlanks(value);
}

/** UTF-8, one character a byte. */
function bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
