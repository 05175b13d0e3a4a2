// From the file as written to the configuration as used: addresses that follow from others, the implied rule, and the
// faults that only show between keys. No I/O.
import type {
  Address,
  Config,
  CookieName,
  EdgeSettings,
  HeaderSource,
  IdentityHeader,
  IntrospectionSettings,
  OryOnOrigin,
  SessionSettings,
  TokenSettings,
  Upstream,
} from './config.ts';
import { durationMs } from './duration.ts';
import type { Fault } from './fault.ts';
import { resolveRules } from './rules.ts';
import { type ConfigFile, upstreamUrl } from './schema.ts';
import { unsupportedKeys } from './unsupported.ts';

/** Headers that Envoy, HTTP or the authorizer's own wire (`ory-<header>`) need: no identity may be written into them. */
const RESERVED_HEADERS = new RegExp(
  `^(?:${[
    'host|connection|content-.*|transfer-encoding|te|trailer|upgrade|keep-alive|proxy-.*|http2-settings|expect|date|via',
    'cookie|set-cookie|authorization|www-authenticate|x-session-token|location|retry-after|status',
    'accept.*|access-control-.*|origin|referer|user-agent|sec-.*|range|if-.*|cache-control|pragma|x-requested-with',
    // With `ory-` before them, what the authorizer says to Envoy.
    'status-via|policy|jwt-failure|edge-key|cache-for|reason|rule',
    'forwarded|x-forwarded-.*|x-real-ip|x-original-.*|x-http-method.*|x-request-id|traceparent|tracestate|x-envoy-.*|ory-.*',
  ].join('|')})$`,
);

/** Reports every fault; the configuration returned is meant to be used only when there is none. */
export function resolve(file: ConfigFile, report: (fault: Fault) => void): Config {
  for (const fault of unsupportedKeys(file)) report(fault);
  const edge = resolveEdge(file, report);
  const rules = resolveRules(file, edge.upstreams, report);
  const kinds = new Set(
    rules.flatMap((rule) => (rule.access.kind === 'anyone' ? [] : rule.access.anyOf.map((one) => one.kind))),
  );
  const redirects = rules.some((rule) => rule.unauthenticated === 'redirect');
  return {
    sessionCookies: file.ory.session_cookies.map(cookieName),
    sessions: kinds.has('session') ? resolveSessions(file, edge.ory, report) : undefined,
    tokens: kinds.has('token') ? resolveTokens(file, report) : undefined,
    audiences: file.tokens?.audiences ?? [],
    loginUrl: redirects ? resolveLoginUrl(file, edge.ory, report) : undefined,
    oryTimeoutMs: ms(file.ory.timeout),
    identityHeaders: resolveIdentityHeaders(file, report),
    rules,
    cache: {
      ttlMs: ms(file.cache.ttl),
      negativeTtlMs: ms(file.cache.negative_ttl),
      staleIfErrorMs: ms(file.cache.stale_if_error),
      maxEntries: file.cache.max_entries,
      edgeTtlMs: ms(file.cache.edge_ttl),
    },
    edge,
    serve: {
      http: address(file.serve.http),
      grpc: address(file.serve.grpc),
      admin: address(file.serve.admin),
      adminToken: file.serve.admin_token,
    },
  };
}

/** Of a duration that the schema has accepted. */
function ms(duration: string): number {
  return durationMs(duration) ?? 0;
}

function address(text: string): Address {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}

function resolveSessions(
  file: ConfigFile,
  ory: OryOnOrigin | undefined,
  report: (fault: Fault) => void,
): SessionSettings {
  const url = file.ory.kratos?.public_url ?? file.ory.url;
  if (url === undefined) {
    report({
      path: ['ory'],
      problem: 'a rule takes sessions, and it is not said where Ory Kratos is',
      fix: 'Give ory.url (Ory Network) or ory.kratos.public_url (self-hosted)',
    });
  }
  return {
    kratosUrl: withoutSlash(url ?? ''),
    loginFlowUrl: loginFlowUrl(file, ory, url),
  };
}

/** Where `login_url` is Kratos's own flow, it is the address that browsers know; a page of one's own takes no `aal`. */
function loginFlowUrl(file: ConfigFile, ory: OryOnOrigin | undefined, kratosUrl: string | undefined): string {
  const { login_url: loginUrl } = file.ory;
  if (!ory && loginUrl !== undefined && new URL(loginUrl).pathname.endsWith(LOGIN_FLOW)) return inAscii(loginUrl);
  const base = ory?.publicUrl ?? kratosUrl;
  return base === undefined ? '' : inAscii(`${withoutSlash(base)}${LOGIN_FLOW}`);
}

const LOGIN_FLOW = '/self-service/login/browser';

function cookieName(text: string): CookieName {
  return text.endsWith('*') ? { name: text.slice(0, -1), prefix: true } : { name: text, prefix: false };
}

function resolveTokens(file: ConfigFile, report: (fault: Fault) => void): TokenSettings {
  const { hydra, url } = file.ory;
  const issuer = hydra?.issuer ?? url;
  const base = hydra?.public_url ?? url;
  const jwksUrl = hydra?.jwks_url ?? (base === undefined ? undefined : `${withoutSlash(base)}/.well-known/jwks.json`);
  if (issuer === undefined) {
    report({
      path: ['ory'],
      problem: 'a rule takes tokens, and their issuer is not known',
      fix: 'Give ory.hydra.issuer, exactly as Hydra’s discovery document has it, or ory.url',
    });
  }
  if (jwksUrl === undefined) {
    report({
      path: ['ory'],
      problem: 'a rule takes tokens, and it is not said where Hydra’s keys are',
      fix: 'Give ory.hydra.public_url, ory.hydra.jwks_url or ory.url',
    });
  }
  return {
    issuer: issuer ?? '',
    jwksUrl: jwksUrl ?? '',
    clockSkewMs: ms(file.tokens?.clock_skew ?? '60s'),
    introspection: resolveIntrospection(file, jwksUrl, report),
  };
}

/**
 * Self-hosted by `hydra.admin_url`; on Ory Network by the key that it asks for, which goes to its host alone. A project is
 * not asked about the tokens of a Hydra whose keys are elsewhere.
 */
function resolveIntrospection(
  file: ConfigFile,
  jwksUrl: string | undefined,
  report: (fault: Fault) => void,
): IntrospectionSettings | undefined {
  const { hydra, url, api_key: apiKey } = file.ory;
  const project = url !== undefined && jwksUrl !== undefined && isSameOrigin(jwksUrl, url) ? url : undefined;
  const base = hydra?.admin_url ?? (apiKey === undefined ? undefined : project);
  if (base === undefined) return undefined;
  const withKey = apiKey !== undefined && url !== undefined && isSameOrigin(base, url);
  if (withKey && !isPrivateWay(base)) {
    report({
      path: ['ory', 'api_key'],
      atKey: true,
      problem: `the key would be sent to ${new URL(base).origin} without encryption`,
      fix: 'Write https in the address, or take the key out',
    });
  }
  return { url: `${withoutSlash(base)}${INTROSPECT}`, apiKey: withKey ? apiKey : undefined };
}

function isSameOrigin(one: string, other: string): boolean {
  return new URL(one).origin === new URL(other).origin;
}

const INTROSPECT = '/admin/oauth2/introspect';

function resolveLoginUrl(file: ConfigFile, ory: OryOnOrigin | undefined, report: (fault: Fault) => void): string {
  if (file.ory.login_url !== undefined) return inAscii(file.ory.login_url);
  const base = ory?.publicUrl ?? file.ory.kratos?.public_url ?? file.ory.url;
  if (base === undefined) {
    report({
      path: ['ory'],
      problem: 'a rule redirects to the login, and it is not said where that is',
      fix: 'Give ory.login_url, ory.kratos.public_url or ory.url',
    });
  }
  return base === undefined ? '' : inAscii(`${withoutSlash(base)}${LOGIN_FLOW}`);
}

/** As it can stand in a header: a host in Punycode, a path escaped. */
function inAscii(url: string): string {
  return new URL(url).href;
}

function resolveIdentityHeaders(file: ConfigFile, report: (fault: Fault) => void): IdentityHeader[] {
  const seen = new Map<string, string>();
  const headers: IdentityHeader[] = [];
  for (const [name, sources] of Object.entries(file.identity_headers)) {
    const path = ['identity_headers', name];
    const spelling = name.toLowerCase().replaceAll('_', '-');
    const other = seen.get(spelling);
    if (other !== undefined) {
      report({
        path,
        atKey: true,
        problem: `"${name}" and "${other}" are one header to many applications`,
        fix: 'Keep one of them',
      });
    }
    seen.set(spelling, name);
    if (RESERVED_HEADERS.test(spelling)) {
      report({
        path,
        atKey: true,
        problem: `"${name}" has a meaning of its own`,
        fix: 'Choose a name such as X-User-Id',
      });
    }
    headers.push({ name, sources: sources.map(headerSource) });
  }
  return headers;
}

function headerSource(text: string): HeaderSource {
  const [kind, ...path] = text.split('.');
  return { kind: kind === 'token' ? 'token' : 'session', path };
}

function resolveEdge(file: ConfigFile, report: (fault: Fault) => void): EdgeSettings {
  const { edge } = file;
  const listen = address(edge.listen);
  const publicUrl = new URL(edge.public_url ?? `${edge.tls ? 'https' : 'http'}://${edge.listen}`);
  if (publicUrl.pathname !== '/') {
    report({ path: ['edge', 'public_url'], problem: 'a path is in it', fix: 'Write scheme, host and port alone' });
  }
  return {
    listen,
    tls: edge.tls,
    publicUrl: publicUrl.origin,
    trustedHops: edge.trusted_hops,
    upstreams: resolveUpstreams(file, report),
    authorizer: new URL(edge.authorizer ?? `http://${file.serve.http}`),
    authorizerGrpc: authorizerGrpc(file),
    admin: address(edge.admin),
    ory: resolveOryOnOrigin(file, publicUrl.origin, report),
  };
}

/** Another port of the same host; where no host is named, it is where the authorizer listens. */
function authorizerGrpc(file: ConfigFile): URL {
  const url = new URL(file.edge.authorizer ?? `http://${file.serve.grpc}`);
  url.port = String(address(file.serve.grpc).port);
  return url;
}

/** A key goes over TLS, or over this machine alone. */
function isPrivateWay(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || ['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
}

function resolveOryOnOrigin(
  file: ConfigFile,
  publicUrl: string,
  report: (fault: Fault) => void,
): OryOnOrigin | undefined {
  const path = file.edge.ory_path;
  if (path === undefined) return undefined;
  const { url, kratos, hydra, api_key: apiKey } = file.ory;
  const kratosUrl = kratos?.public_url ?? url;
  if (kratosUrl === undefined) {
    report({
      path: ['edge', 'ory_path'],
      problem: 'it is not said which Ory is to be reached there',
      fix: 'Give ory.url (Ory Network) or ory.kratos.public_url (self-hosted)',
    });
    return undefined;
  }
  const hydraUrl = hydra?.public_url ?? url;
  return {
    path,
    publicUrl: `${publicUrl}${path}`,
    kratosUrl: new URL(withoutSlash(kratosUrl)),
    hydraUrl: hydraUrl === undefined ? undefined : new URL(withoutSlash(hydraUrl)),
    apiKey:
      apiKey === undefined || url === undefined || !isPrivateWay(url)
        ? undefined
        : { value: apiKey, origin: new URL(url).origin },
  };
}

function resolveUpstreams(file: ConfigFile, report: (fault: Fault) => void): Map<string, Upstream> {
  const { upstream, upstreams } = file.edge;
  if (upstream !== undefined && upstreams !== undefined) {
    report({
      path: ['edge', 'upstream'],
      atKey: true,
      problem: 'upstream and upstreams are both given',
      fix: 'Keep one of them',
    });
  }
  const named = Object.entries(upstreams ?? (upstream === undefined ? {} : { app: upstream }));
  if (named.length === 0) {
    report({
      path: ['edge'],
      problem: 'the application behind the edge is missing',
      fix: 'Give edge.upstream, such as http://127.0.0.1:3000',
    });
  }
  return new Map(
    named.flatMap(([name, text]) => {
      const found = upstreamUrl(text);
      return found ? [[name, found] as const] : [];
    }),
  );
}
