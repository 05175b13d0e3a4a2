// The configuration as the rest of the program uses it: every address resolved, every default filled in. No I/O.
import type { HostPattern, PathGlob } from './pattern.ts';

/** A session cookie's name: exact, or with `prefix` any name that begins so. */
export interface CookieName {
  readonly name: string;
  readonly prefix: boolean;
}

/** What is needed to ask Kratos. Present where a rule may look at a session. */
export interface SessionSettings {
  /** Kratos's public API, without a trailing slash. */
  readonly kratosUrl: string;
  /** Kratos's own login flow as a browser reaches it: where a person gives a second factor, or logs in anew. */
  readonly loginFlowUrl: string;
}

/** What is needed to judge access tokens. Present where a rule may look at a token. */
export interface TokenSettings {
  /** The `iss` claim, byte for byte. */
  readonly issuer: string;
  readonly jwksUrl: string;
  readonly clockSkewMs: number;
  /** Where opaque tokens are asked about; undefined where they are not taken. */
  readonly introspection: IntrospectionSettings | undefined;
}

/** Hydra's introspection (RFC 7662). */
export interface IntrospectionSettings {
  readonly url: string;
  /** `ory.api_key`, which Ory Network asks for. */
  readonly apiKey: string | undefined;
}

/** One way to satisfy a rule. */
export type Requirement = SessionRequirement | TokenRequirement;

export interface SessionRequirement {
  readonly kind: 'session';
  /** The least authenticator assurance level; undefined where any is enough. */
  readonly aal: 'aal1' | 'aal2' | undefined;
  /** The longest time since `authenticated_at`; undefined where it does not matter. */
  readonly maxAgeMs: number | undefined;
}

export interface TokenRequirement {
  readonly kind: 'token';
  /** The token's `aud` must hold one of them; empty means any. */
  readonly audiences: readonly string[];
  /** All of them are needed. */
  readonly scopes: readonly string[];
  /** All of them are needed. */
  readonly claims: readonly ClaimRequirement[];
}

/** The claim at `path` is `value`, or an array that holds it. */
export interface ClaimRequirement {
  readonly path: readonly string[];
  readonly value: string | number | boolean;
}

/** `identify` and `require` try their alternatives in order. */
export type Access =
  | { readonly kind: 'anyone' }
  | { readonly kind: 'identify'; readonly anyOf: readonly Requirement[] }
  | { readonly kind: 'require'; readonly anyOf: readonly Requirement[] };

export interface Rule {
  readonly name: string;
  readonly host: HostPattern | undefined;
  readonly path: PathGlob;
  /** Undefined: every method. */
  readonly methods: readonly string[] | undefined;
  /** A key of {@link EdgeSettings.upstreams}. */
  readonly upstream: string;
  readonly access: Access;
  readonly unauthenticated: 'deny' | 'redirect';
  /** Origins of pages that may read this rule's denials and whose preflights pass; undefined where the rule has no `cors`. */
  readonly corsOrigins: readonly string[] | undefined;
}

/** A path into what a credential stands for: `session.identity.id` is `kind: 'session', path: ['identity', 'id']`. */
export interface HeaderSource {
  readonly kind: 'session' | 'token';
  readonly path: readonly string[];
}

export interface IdentityHeader {
  /** As configured; sent in lower case. */
  readonly name: string;
  readonly sources: readonly HeaderSource[];
}

/** A host and a port. An IPv6 host is without brackets. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** An application behind the edge. */
export interface Upstream {
  /** http or https: scheme, host and port. */
  readonly url: URL;
  /** Spoken to over HTTP/2 (`h2c://`, `h2://` in the file), as gRPC needs it; else over HTTP/1.1. */
  readonly http2: boolean;
}

/** Ory's public API on the edge's own origin (`edge.ory_path`). */
export interface OryOnOrigin {
  /** Such as `/.ory`. */
  readonly path: string;
  /** How a browser reaches it: the edge's public URL with the path. */
  readonly publicUrl: string;
  readonly kratosUrl: URL;
  /** Undefined where the file does not say where Hydra is. */
  readonly hydraUrl: URL | undefined;
  /**
   * `ory.api_key`, which Ory Network asks for, and the one origin that may see it: that of `ory.url`. Envoy has it from
   * its environment: it stands in no generated file.
   */
  readonly apiKey: { readonly value: string; readonly origin: string } | undefined;
}

export interface EdgeSettings {
  readonly listen: Address;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Scheme, host and port, without a trailing slash. */
  readonly publicUrl: string;
  readonly trustedHops: number;
  /** By name; the first is the default. */
  readonly upstreams: ReadonlyMap<string, Upstream>;
  /** The authorizer as Envoy reaches it, over HTTP. */
  readonly authorizer: URL;
  /** And over gRPC. */
  readonly authorizerGrpc: URL;
  readonly admin: Address;
  readonly ory: OryOnOrigin | undefined;
}

export interface Config {
  /** Where a session may be found among a request's cookies, in the order in which they are tried. */
  readonly sessionCookies: readonly CookieName[];
  readonly sessions: SessionSettings | undefined;
  readonly tokens: TokenSettings | undefined;
  /** `tokens.audiences`, which holds for every rule that names none itself. */
  readonly audiences: readonly string[];
  /** Where a navigation without a session is sent. Undefined where no rule redirects. */
  readonly loginUrl: string | undefined;
  /** Bound of one call to Ory. */
  readonly oryTimeoutMs: number;
  readonly identityHeaders: readonly IdentityHeader[];
  readonly rules: readonly Rule[];
  readonly cache: {
    readonly ttlMs: number;
    readonly negativeTtlMs: number;
    readonly staleIfErrorMs: number;
    readonly maxEntries: number;
    readonly edgeTtlMs: number;
  };
  readonly edge: EdgeSettings;
  readonly serve: {
    readonly http: Address;
    readonly grpc: Address;
    readonly admin: Address;
    readonly adminToken: string | undefined;
  };
}

/** `host:port`, with brackets around an IPv6 host. */
export function formatAddress(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** Where a listener is reached on its own machine: one on every address is no place to go to. */
export function reachableAddress({ host, port }: Address): Address {
  if (host === '0.0.0.0') return { host: '127.0.0.1', port };
  return { host: /^[0:]+$/.test(host) ? '::1' : host, port };
}

/** As the file writes it, without a trailing slash. */
export function formatUpstream({ url, http2 }: Upstream): string {
  return http2 ? url.origin.replace(/^http(s?):/, (_, tls) => (tls ? 'h2:' : 'h2c:')) : url.origin;
}
