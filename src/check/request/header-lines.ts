// The header lines of a request that a check looks at, gathered one by one as a transport finds them. No I/O.
import { WIRE } from '../wire.ts';
import type { CheckRequest } from './check-request.ts';

/** Every line of a credential is kept: a hidden duplicate is a second reading. */
export class HeaderLines {
  readonly #authorization: string[] = [];
  readonly #sessionToken: string[] = [];
  readonly #cookie: string[] = [];
  // Of these one value is wanted; several lines are joined by commas, as Envoy joins them.
  #origin: string | undefined;
  #accessControlRequestMethod: string | undefined;
  #accept: string | undefined;
  #requestedWith: string | undefined;
  #secFetchMode: string | undefined;
  #secFetchDest: string | undefined;
  #requestId: string | undefined;
  #jwtFailure: string | undefined;
  #policy: string | undefined;
  #edgeKey: string | undefined;

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
      case 'origin':
        this.#origin = joined(this.#origin, value);
        break;
      case 'access-control-request-method':
        this.#accessControlRequestMethod = joined(this.#accessControlRequestMethod, value);
        break;
      case 'accept':
        this.#accept = joined(this.#accept, value);
        break;
      case 'x-requested-with':
        this.#requestedWith = joined(this.#requestedWith, value);
        break;
      case 'sec-fetch-mode':
        this.#secFetchMode = joined(this.#secFetchMode, value);
        break;
      case 'sec-fetch-dest':
        this.#secFetchDest = joined(this.#secFetchDest, value);
        break;
      case 'x-request-id':
        this.#requestId = joined(this.#requestId, value);
        break;
      case WIRE.jwtFailure:
        this.#jwtFailure = joined(this.#jwtFailure, value);
        break;
      case WIRE.policy:
        this.#policy = joined(this.#policy, value);
        break;
      case WIRE.edgeKey:
        this.#edgeKey = joined(this.#edgeKey, value);
        break;
    }
  }

  /** A browser's question before a request names one method and brings no credentials (Fetch, section 4.8). */
  #asksForMethod(): boolean {
    const credentials = this.#authorization.length + this.#sessionToken.length + this.#cookie.length;
    const wanted = this.#accessControlRequestMethod;
    return this.#origin !== undefined && wanted !== undefined && /^[A-Za-z]+$/.test(wanted) && credentials === 0;
  }

  /** `target` is the path with its query. */
  toRequest(method: string, host: string | undefined, target: string): CheckRequest {
    const question = target.indexOf('?');
    return {
      method,
      host,
      path: question < 0 ? target : target.slice(0, question),
      query: question < 0 ? '' : target.slice(question),
      authorization: this.#authorization,
      sessionToken: this.#sessionToken,
      cookie: this.#cookie,
      preflight: method === 'OPTIONS' && this.#asksForMethod(),
      origin: this.#origin,
      accept: this.#accept,
      requestedWith: this.#requestedWith,
      secFetchMode: this.#secFetchMode,
      secFetchDest: this.#secFetchDest,
      requestId: this.#requestId,
      policy: this.#policy,
      edgeKey: this.#edgeKey,
      jwtFailure: failureCode(this.#jwtFailure),
    };
  }
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before},${value}`;
}

function failureCode(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,4}$/.test(text) ? Number(text) : undefined;
}
