// Checks as a test writes them: GET https://app.example/ without credentials, but for what is given. No I/O.
import type { CheckRequest } from '../request/check-request.ts';

export function request(given: Partial<CheckRequest> = {}): CheckRequest {
  return {
    method: 'GET',
    host: 'app.example',
    path: '/',
    query: '',
    authorization: [],
    sessionToken: [],
    cookie: [],
    preflight: false,
    origin: undefined,
    accept: undefined,
    requestedWith: undefined,
    secFetchMode: undefined,
    secFetchDest: undefined,
    requestId: 'r-1',
    policy: undefined,
    edgeKey: undefined,
    jwtFailure: undefined,
    ...given,
  };
}
