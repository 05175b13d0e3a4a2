// What `up` and its parts say to each other, over the channel that Node opens between a process and its child: never in
// arguments or the environment, where others could read it. No I/O.

/** A policy as text: the part reads it as `up` did, with the same environment. */
export interface PolicyText {
  readonly id: string;
  /** For messages. */
  readonly file: string;
  readonly text: string;
}

export interface AuthorizerSettings {
  readonly part: 'authorizer';
  readonly current: PolicyText;
  /** Every policy that a route of Envoy may name. */
  readonly named: readonly PolicyText[];
}

export interface OrySettings {
  readonly part: 'ory';
  readonly port: number;
  readonly audience: readonly string[];
}

export interface AppSettings {
  readonly part: 'app';
  readonly port: number;
  readonly loginUrl: string;
  readonly logoutUrl: string;
  readonly identityHeaders: readonly string[];
}

export type Settings = AuthorizerSettings | OrySettings | AppSettings;

/** The first starts the part; another changes one that runs. */
export interface Order<S extends Settings = Settings> {
  readonly id: number;
  readonly settings: S;
}

/** What only the part knows of itself. */
export interface Facts {
  readonly users?: readonly { readonly email: string; readonly password: string }[];
  readonly client?: { readonly id: string; readonly secret: string };
}

export type Answer =
  | { readonly id: number; readonly ok: true; readonly facts: Facts }
  /** `problem` is a sentence for the user. */
  | { readonly id: number; readonly ok: false; readonly problem: string };
