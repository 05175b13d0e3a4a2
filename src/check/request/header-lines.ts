// The header lines of a request that a check looks at, gathered one by one as a transport finds them. No I/O.
import { WIRE } from '../wire.ts';
import type { CheckRequest } from './check-request.ts';

/** Of these one value is wanted; several lines are joined by commas, as Envoy joins them. */
const SINGLE = new Set<string>([
  'origin',
  'access-control-request-method',
  'accept',
  'x-requested-with',
  'sec-fetch-mode',
  'sec-fetch-dest',
  'x-request-id',
  WIRE.jwtFailure,
  WIRE.policy,
  WIRE.edgeKey,
]);

/** Every line of a credential is kept: a hidden duplicate is a second reading. */
export class HeaderLines {
  readonly #authorization: string[] = [];
  readonly #sessionToken: string[] = [];
  readonly #cookie: string[] = [];
  readonly #single: Record<string, string | undefined> = Object.create(null);

  /** `name` in lower case. */
  add(name: string, value: string): void {
    switch (name) {
      case 'authorization':
        this.#authorization.push(value);
        break;
      case 'x-session-token':
        this.#sessionToken.push(value);
        break;
      case 'cookie':
        this.#cookie.push(value);
        break;
      default:
        if (SINGLE.has(name)) {
          const before = this.#single[name];
          this.#single[name] = before === undefined ? value : `${before},${value}`;
        }
    }
  }

  /** A browser's question before a request names one method and brings no credentials (Fetch, section 4.8). */
  #asksForMethod(): boolean {
    const credentials = this.#authorization.length + this.#sessionToken.length + this.#cookie.length;
    const wanted = this.#single['access-control-request-method'];
    return (
      this.#single['origin'] !== undefined && wanted !== undefined && /^[A-Za-z]+$/.test(wanted) && credentials === 0
    );
  }

  /** `target` is the path with its query. */
  toRequest(method: string, host: string | undefined, target: string): CheckRequest {
    const question = target.indexOf('?');
    const single = this.#single;
    return {
      method,
      host,
      path: question < 0 ? target : target.slice(0, question),
      query: question < 0 ? '' : target.slice(question),
      authorization: this.#authorization,
      sessionToken: this.#sessionToken,
      cookie: this.#cookie,
      preflight: method === 'OPTIONS' && this.#asksForMethod(),
      origin: single['origin'],
      accept: single['accept'],
      requestedWith: single['x-requested-with'],
      secFetchMode: single['sec-fetch-mode'],
      secFetchDest: single['sec-fetch-dest'],
      requestId: single['x-request-id'],
      policy: single[WIRE.policy],
      edgeKey: single[WIRE.edgeKey],
      jwtFailure: failureCode(single[WIRE.jwtFailure]),
    };
  }
}

function failureCode(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,4}$/.test(text) ? Number(text) : undefined;
}
