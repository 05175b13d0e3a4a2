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
  /** Where it writes Envoy's filters; undefined where no Envoy of `up` reads them. It stays the same. */
  readonly envoyConfig: string | undefined;
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
  readonly settingsUrl: string;
  /** Where a click tries each rule. */
  readonly rules: readonly { readonly name: string; readonly href: string; readonly note: string }[];
}

/** Login and account pages for a real Kratos whose `ui_url`s point there. */
export interface PagesSettings {
  readonly part: 'pages';
  readonly port: number;
  readonly kratosUrl: string;
  /** Kratos as a browser reaches it. */
  readonly browserUrl: string;
  readonly sessionCookies: readonly string[];
  /** Where Kratos may send a browser after a form. */
  readonly returnOrigins: readonly string[];
}

export type Settings = AuthorizerSettings | OrySettings | AppSettings | PagesSettings;

/** The first starts the part; another changes one that runs. */
export interface Order<S extends Settings = Settings> {
  readonly id: number;
  readonly settings: S;
}

/** What only the part knows of itself. */
export interface Facts {
  readonly users?: readonly { readonly email: string; readonly password: string; readonly totpSecret?: string }[];
  readonly client?: { readonly id: string; readonly secret: string };
}

/** A part that runs, as its own process has it. */
export interface StartedPart {
  readonly facts: Facts;
  /** @throws {UserError} */
  change(settings: Settings): Promise<void>;
  close(): Promise<void>;
}

export type Answer =
  | { readonly id: number; readonly ok: true; readonly facts: Facts }
  /** `problem` is a sentence for the user. */
  | { readonly id: number; readonly ok: false; readonly problem: string };
