// How a suite drives an Ory, whether the development one or the real servers. Types alone, no I/O.

export interface Person {
  readonly id: string;
  readonly email: string;
  readonly password: string;
}

/** A person with an authenticator app. */
export interface PersonWithTotp extends Person {
  /** In base32. */
  readonly totpSecret: string;
}

/** A native session: `token` begins with `ory_st_`. */
export interface Session {
  readonly id: string;
  readonly token: string;
}

export interface BrowserSession {
  readonly id: string;
  readonly cookie: { readonly name: string; readonly value: string };
}

export interface TokenRequest {
  /** Default: none, which gives `aud: []`. */
  readonly audience?: readonly string[];
  /** Space-separated. Default: none. */
  readonly scope?: string;
  /** Default: the server's own. */
  readonly lifespanSeconds?: number;
  /** Default: `jwt`. */
  readonly strategy?: 'jwt' | 'opaque';
}

export interface OAuth2Client {
  readonly id: string;
  /** '' of a public client. */
  readonly secret: string;
}

export interface ClientRequest {
  /** Default: `http://127.0.0.1:9/callback`, where nobody listens. */
  readonly redirectUris?: readonly string[];
  /** Space-separated: what it may ask for. Default: `openid offline_access email read`. */
  readonly scope?: string;
  /** What it may ask for. Default: none. */
  readonly audience?: readonly string[];
  /** Without a secret. Default: true. */
  readonly public?: boolean;
  /** Default: the server's own, which is `jwt`. */
  readonly strategy?: 'jwt' | 'opaque';
}

export interface AuthorizationRequest {
  /** Default: the client's first. */
  readonly redirectUri?: string;
  /** Space-separated. Default: `openid offline_access email read`. */
  readonly scope?: string;
  readonly audience?: readonly string[];
  /** Added to the query, or taken out of it where `undefined`. */
  readonly parameters?: Readonly<Record<string, string | undefined>>;
  /** Default: allow. */
  readonly consent?: 'allow' | 'deny';
}

export interface Authorized {
  /** Where the browser was sent in the end, with `code` or `error`; undefined where it was not sent to the client. */
  readonly callback: URL | undefined;
  readonly redirectUri: string;
  readonly codeVerifier: string;
}

export interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
  readonly idToken: string | undefined;
}

export interface TokenAnswer {
  readonly status: number;
  readonly body: unknown;
}

export interface Ory {
  readonly name: string;
  readonly kratos: { readonly publicUrl: string; readonly adminUrl: string };
  readonly hydra: { readonly publicUrl: string; readonly adminUrl: string; readonly issuer: string };

  /** By the admin API. The email is unique; `traits` are merged over `{email, name}`. */
  createPerson(traits?: Record<string, unknown>): Promise<Person>;
  /** By the API flow. */
  login(person: Person): Promise<Session>;
  /** By the browser flow, with cookie jar and csrf token, as JSON. At aal2 only who has an authenticator app. */
  loginBrowser(person: Person, options?: { readonly aal: 'aal1' }): Promise<BrowserSession>;
  loginBrowser(person: PersonWithTotp, options: { readonly aal: 'aal2' }): Promise<BrowserSession>;
  /** Enrols an authenticator app by the settings flow, as a person would. */
  createPersonWithTotp(traits?: Record<string, unknown>): Promise<PersonWithTotp>;
  /** What the person's app shows now. */
  totpCode(person: PersonWithTotp): string;
  /** Gives the second factor for a native session; its token stays the same. */
  stepUp(person: PersonWithTotp, session: Session): Promise<void>;
  /** `DELETE /self-service/logout/api` */
  logout(session: Session): Promise<void>;
  /** `DELETE /admin/sessions/{id}` */
  revokeSession(sessionId: string): Promise<void>;
  setPersonState(personId: string, state: 'active' | 'inactive'): Promise<void>;

  /** By the client_credentials grant of a client made for this request. */
  accessToken(request?: TokenRequest): Promise<string>;
  /** By the admin API, for the authorization code and refresh tokens. */
  createClient(request?: ClientRequest): Promise<OAuth2Client>;
  /** By dynamic registration: the answer as it came. */
  registerClient(metadata: Record<string, unknown>): Promise<TokenAnswer>;
  /** A browser in which the person logs in and consents, with PKCE (S256). */
  authorize(person: Person, client: OAuth2Client, request?: AuthorizationRequest): Promise<Authorized>;
  /** `POST /oauth2/token`; the client says who it is as it was registered. */
  token(client: OAuth2Client, form: Readonly<Record<string, string>>): Promise<TokenAnswer>;
  /** Both steps. @returns the body of the token answer @throws where there is none */
  authorizationCode(person: Person, client: OAuth2Client, request?: AuthorizationRequest): Promise<Tokens>;
  /** `POST /admin/oauth2/introspect` */
  introspect(token: string): Promise<unknown>;
  /** `POST /oauth2/revoke` */
  revokeToken(client: OAuth2Client, token: string): Promise<number>;
  /**
   * Signs any claims and header with a private key that is published in the JWKS, so that tests make tokens that differ
   * in one thing. Nothing is added to the claims; `header` is merged over `{alg: 'RS256', kid, typ: 'JWT'}`, and a
   * member that is `undefined` there is left out.
   */
  sign(claims: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  /** A new signing key for access tokens; tokens issued from now on use it. The old ones stay published. */
  rotateKey(): Promise<void>;
  close(): Promise<void>;
}

/** What callers of `startRealOry` and of `conformance/ory/dev.ts` may vary. */
export interface OryOptions {
  /** Default: a day. */
  readonly sessionLifespanSeconds?: number;
  /** Addresses that `return_to` may begin with, beside Ory's own; the development Ory takes every loopback one anyway. */
  readonly returnUrls?: readonly string[];
  /** What whoami and settings ask of a session. Default: `highest_available`. */
  readonly requiredAal?: 'aal1' | 'highest_available';
  /** Where Kratos's pages are, without a slash at the end: `{loginUiUrl}/login`, `/settings`, `/error`. */
  readonly loginUiUrl?: string;
  /** The real Kratos alone: `selfservice.flows.settings.after.password.hooks`. */
  readonly afterPasswordChange?: readonly object[];
  /** What Kratos takes for its own address (`serve.public.base_url`), for a Kratos behind `edge.ory_path`. */
  readonly kratosBaseUrl?: string;
}

/** A server that runs as a process of its own, on the same ports and data from one start to the next. */
export interface ServerProcess {
  /** SIGKILL; resolves once the process is gone. */
  kill(): Promise<void>;
  /** Starts it again and resolves once it is ready. */
  start(): Promise<void>;
  /** SIGSTOP: it accepts connections and answers nothing. */
  pause(): void;
  /** SIGCONT */
  resume(): void;
}

/** The real servers: `startRealOry()` of `real.ts`. */
export interface RealOry extends Ory {
  readonly processes: { readonly kratos: ServerProcess; readonly hydra: ServerProcess };
}

/** A part of the contract. `ory` is a function, because there is none before the tests run. */
export type ContractPart = (ory: () => Ory) => void;
