// One authorization question, whichever transport brought it. No I/O.

/** Header values are as received, one character a byte, one entry a header line; a transport may have joined lines with a comma. */
export interface CheckRequest {
  readonly method: string;
  /** As received, possibly with a port. Undefined where there was none, or more than one. */
  readonly host: string | undefined;
  /** As received, without the query. */
  readonly path: string;
  /** With its question mark, or empty. */
  readonly query: string;
  readonly authorization: readonly string[];
  readonly sessionToken: readonly string[];
  readonly cookie: readonly string[];
  /** A CORS preflight: OPTIONS with Origin, one Access-Control-Request-Method, and no credential (Fetch, section 4.8). */
  readonly preflight: boolean;
  readonly origin: string | undefined;
  readonly accept: string | undefined;
  readonly requestedWith: string | undefined;
  readonly secFetchMode: string | undefined;
  readonly secFetchDest: string | undefined;
  readonly requestId: string | undefined;
  /** The policy that the route belongs to; undefined from an Envoy that does not say. */
  readonly policy: string | undefined;
  /** What the edge cache looked up and did not find; undefined where it did not look. */
  readonly edgeKey: string | undefined;
  /** What Envoy's jwt_authn made of the token: its code of failure, or undefined. For the log alone. */
  readonly jwtFailure: number | undefined;
}
