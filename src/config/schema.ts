// The configuration file, as written: the one source of its types, defaults and JSON Schema. No I/O.
import { z } from 'zod';
import { DURATION_PATTERN, durationMs, formatDuration } from './duration.ts';

/** At most four separators: every spelling of a name is removed from requests, and their number is a power of three. */
const HEADER_NAME = /^(?=.{1,64}$)[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]*){0,4}$/;
const COOKIE_NAME = /^[A-Za-z0-9_-]{1,64}\*?$/;
const SOURCE = /^(?:session|token)(?:\.[A-Za-z0-9_:-]{1,128})+$/;
/** RFC 6749, section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
const CLAIM_PATH = /^[^.\s]{1,128}(?:\.[^.\s]{1,128}){0,15}$/;
const ADDRESS = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/;

function duration(what: string, minMs: number, maxMs: number) {
  const range = `${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
  return z
    .string(`not a duration; write one such as 500ms, 30s, 15m or 1h`)
    .regex(DURATION_PATTERN, 'not a duration; write one such as 500ms, 30s, 15m or 1h')
    .refine((text) => {
      const ms = durationMs(text);
      return ms === undefined || (ms >= minMs && ms <= maxMs);
    }, `out of range; choose from ${range}`)
    .meta({ description: `${what} From ${range}.`, examples: ['500ms', '30s', '15m'] });
}

function url(what: string) {
  return z
    .string()
    .refine(
      isHttpUrl,
      'not an http or https address without user, query and fragment; write one such as https://acme.projects.oryapis.com',
    )
    .meta({ description: what, format: 'uri' });
}

function isHttpUrl(text: string): boolean {
  if (!/^https?:\/\/[^/?#@\\\s]+(?:\/[^?#@\\\s]*)?$/.test(text)) return false;
  return URL.canParse(text);
}

/** As a browser writes it into `Origin` (RFC 6454, section 6.2): lower case, no default port. Not `null`, not `*`. */
function isOrigin(text: string): boolean {
  return isHttpUrl(text) && !text.includes('*') && new URL(text).origin === text;
}

function noOrigin(text: unknown): string {
  if (typeof text !== 'string' || !isHttpUrl(text.toLowerCase()) || text.includes('*'))
    return 'not an origin; write scheme and host alone, such as https://app.acme.com';
  const ways = [
    ...(text === text.toLowerCase() ? [] : ['in lower case']),
    ...(/^(?:http:\/\/[^/]*:80|https:\/\/[^/]*:443)(?:\/|$)/i.test(text) ? ['without the default port'] : []),
    ...(/^https?:\/\/[^/]*\//i.test(text) ? ['without a path or a "/" at the end'] : []),
  ];
  return `not an origin as browsers write it; write it ${ways.join(' and ') || 'in Punycode'}`;
}

/** Literal segments, so that nothing has to be escaped where it is matched and rewritten. */
const ORY_PATH = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]+)+$/;

/** Of a port that is out of range nothing is said here: it has its own fault. */
function isHost(address: string): boolean {
  return URL.canParse(`http://${address.slice(0, address.lastIndexOf(':'))}`);
}

const upstream = z
  .string()
  .refine(
    (text) => isHttpUrl(text) && new URL(text).pathname === '/',
    'not an origin; write scheme, host and port alone, such as http://127.0.0.1:3000',
  );

const application = z
  .string()
  .refine(
    (text) => upstreamUrl(text) !== undefined,
    'not an origin; write scheme, host and port alone, such as http://127.0.0.1:3000, or h2c://127.0.0.1:50051 for gRPC',
  );

/** `h2c` and `h2` are HTTP/2 without and with TLS (RFC 9113, section 3.1): the scheme that is connected with. */
const HTTP2_SCHEMES: Readonly<Record<string, string>> = { h2c: 'http', h2: 'https' };

/** An application's address as the file has it; undefined where it is none. */
export function upstreamUrl(text: string): { readonly url: URL; readonly http2: boolean } | undefined {
  const scheme = HTTP2_SCHEMES[text.slice(0, text.indexOf('://'))];
  const plain = scheme === undefined ? text : scheme + text.slice(text.indexOf('://'));
  if (!isHttpUrl(plain)) return undefined;
  const url = new URL(plain);
  return url.pathname === '/' ? { url, http2: scheme !== undefined } : undefined;
}

const NO_ADDRESS = 'not an address; write host:port, such as 127.0.0.1:8080';

const address = (what: string) =>
  z
    .string(NO_ADDRESS)
    .regex(ADDRESS, { error: NO_ADDRESS, abort: true })
    .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'not a port; choose from 0 to 65535')
    .refine(isHost, 'not a host; write a name, an IPv4 address or an IPv6 address in brackets')
    .meta({ description: what });

const audiences = z.array(z.string().min(1, 'empty; name an audience')).min(1, 'empty; name at least one audience');
const secret = (what: string) => z.string().min(1, 'empty; give a value').meta({ description: what });
/** Begins with a letter: an object's keys that look like numbers would come first, whatever the file's order is. */
const upstreamName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'not an upstream name; use a-z, 0-9 and "-", beginning with a letter');
const ruleName = z.string().regex(/^[a-z0-9-]{1,63}$/, 'not a rule name; use a-z, 0-9 and "-", at most 63 characters');

const sessionRequirement = z.strictObject({
  aal: z.enum(['aal1', 'aal2']).optional().meta({ description: 'The least authenticator assurance level.' }),
  max_age: duration(
    'The longest time since the last login into the session (authenticated_at).',
    1_000,
    8_760 * 3_600_000,
  ).optional(),
});

/** Beyond it numbers are rounded as they are read, here and in tokens: one would stand for several. */
function isExact(value: number): boolean {
  return !Number.isInteger(value) || Number.isSafeInteger(value);
}

const INEXACT = 'a number beyond 2^53 - 1, which is not exact; write it as a text, and have the token say it as a text';

const tokenRequirement = z.strictObject({
  audiences: audiences.optional().meta({ description: 'Replaces tokens.audiences for this rule.' }),
  scopes: z
    .array(z.string().regex(SCOPE, 'not a scope; write each one for itself, without spaces'))
    .min(1, 'empty; name a scope or leave it out')
    .optional()
    .meta({ description: 'All of them are needed, in scp (a list) or scope (a text).' }),
  claims: z
    .record(
      z.string().regex(CLAIM_PATH, 'not a claim; write its name, or a dotted path such as ext.tenant'),
      z.union(
        [z.string(), z.number().refine(isExact, INEXACT), z.boolean()],
        'not a value to compare with; write one text, one finite number, true or false (a claim that is a list has to hold it)',
      ),
    )
    .optional()
    .meta({ description: 'Equal values at a dotted path; an array claim holds the value.' }),
});

const requirement = z.strictObject({
  session: sessionRequirement.optional().meta({ description: 'A session of Ory Kratos.' }),
  token: tokenRequirement.optional().meta({ description: 'An access token of Ory Hydra.' }),
});

const rule = z.strictObject({
  name: ruleName.meta({ description: 'Stands in logs and metrics, and is the name of the Envoy route. Unique.' }),
  match: z.strictObject({
    host: z.string().optional().meta({ description: 'Exact, or *.suffix at any depth; case and port are ignored.' }),
    path: z
      .string()
      .meta({ description: 'A glob over segments: literals, * for one segment, ** for the rest, last only.' }),
    methods: z
      .array(
        z
          .string()
          .regex(/^[A-Z]{1,32}$/, 'not a method; write it in capitals, such as GET')
          .refine((method) => method !== 'CONNECT', 'never routed, since CONNECT asks for a tunnel; take it out'),
      )
      .min(1, 'empty; name a method or leave it out')
      .optional()
      .meta({ description: 'In capitals. Every method without it.' }),
    mcp: z
      .strictObject({ method: z.string().optional(), tool: z.string().optional() })
      .optional()
      .meta({ description: 'A JSON-RPC method and a tool’s name.' }),
  }),
  upstream: z.string().optional().meta({ description: 'A name of edge.upstreams; the first one is the default.' }),
  allow: z
    .literal('anyone', 'only "anyone" is known; for anything else use require')
    .optional()
    .meta({ description: 'Lets every request through, without identity.' }),
  identify: z
    .boolean()
    .optional()
    .meta({ description: 'With allow: anyone: identity headers if a credential verifies.' }),
  require: z
    .union([requirement, z.strictObject({ any_of: z.array(requirement).min(1, 'empty; write an alternative') })])
    .optional()
    .meta({ description: 'What a request must bring; any_of: alternatives, tried in order.' }),
  unauthenticated: z.enum(['deny', 'redirect']).optional().meta({
    description:
      'redirect: a navigation without a credential goes to the login, and one whose session lacks a second factor or is too old to Kratos’s own flow. Default deny: 401, 403.',
  }),
  cors: z
    .strictObject({
      origins: z
        .array(z.string().refine(isOrigin, { error: ({ input }) => noOrigin(input) }))
        .min(1, 'empty; name the origins of the pages'),
    })
    .optional()
    .meta({
      description:
        'For pages of other origins: their preflights pass to the application without identity, and denials carry the CORS headers, so that a script can read them.',
    }),
});

/** The file as written. Every object refuses unknown keys. */
export const configSchema = z
  .strictObject({
    ory: z
      .strictObject({
        url: url('The Ory project; every other address follows from it.').optional(),
        kratos: z
          .strictObject({
            public_url: url('Ory Kratos, public API.').optional(),
            admin_url: url('Ory Kratos, admin API. It has no effect yet.').optional(),
          })
          .optional(),
        hydra: z
          .strictObject({
            public_url: url('Ory Hydra, public API.').optional(),
            admin_url: url(
              'Ory Hydra, admin API: opaque tokens are asked about there. Without it they are asked about at ory.url with ory.api_key, where the keys are that project’s too; else they are not taken.',
            ).optional(),
            issuer: z
              .string()
              .min(1, 'empty; give it as Hydra writes it, or leave it out')
              .optional()
              .meta({ description: 'The iss claim, byte for byte; default ory.url.' }),
            jwks_url: url('Default {hydra.public_url}/.well-known/jwks.json.').optional(),
          })
          .optional(),
        api_key: secret(
          'A key of the Ory Network project. Opaque tokens are asked about with it. With edge.ory_path Envoy sends it from its own environment, ORY_API_KEY.',
        ).optional(),
        session_cookies: z
          .array(z.string().regex(COOKIE_NAME, 'not a cookie name; a trailing * stands for any ending'))
          .min(1, 'empty; name a cookie or leave it out')
          .default(['ory_kratos_session', 'ory_session_*'])
          .meta({ description: 'Tried in order, the first one present counts. A trailing * stands for any ending.' }),
        login_url: url(
          'Where people without a session log in. Default {kratos.public_url}/self-service/login/browser. An address that ends so is Kratos’s own flow, and the second factor is given there too.',
        ).optional(),
        timeout: duration('Bound of one call to Ory.', 10, 60_000).default('2s'),
      })
      .meta({ description: 'Where Ory is.' }),
    tokens: z
      .strictObject({
        audiences: audiences.optional().meta({ description: 'A token’s aud must hold one of them.' }),
        any_audience: z
          .boolean()
          .default(false)
          .meta({ description: 'Takes tokens that were made for any service. Rarely what is meant.' }),
        clock_skew: duration('How far clocks may differ, for exp and nbf.', 0, 600_000).default('60s'),
      })
      .optional(),
    identity_headers: z
      .record(
        z.string().regex(HEADER_NAME, 'not a header name; use letters, digits and at most four "-"'),
        z
          .array(
            z
              .string()
              .regex(
                SOURCE,
                'not a source; write a path below session or token, such as session.identity.id or token.sub',
              ),
          )
          .min(1, 'empty; name a source'),
      )
      .default({
        'X-User-Id': ['session.identity.id', 'token.sub'],
        'X-User-Email': ['session.identity.traits.email', 'token.ext.email'],
      })
      .meta({
        description:
          'Headers that the application gets, each from the first of its sources that has a value. Clients’ copies are removed.',
      }),
    rules: z.array(rule).min(1, 'empty; write a rule or leave it out').optional().meta({
      description:
        'First match wins, no match is a denial. Without rules a session is required, or a session or a token where tokens.audiences is given.',
    }),
    cache: z
      .strictObject({
        ttl: duration(
          'Upper bound of remembering a verified credential; expires_at, exp and Ory-Session-Cache-For make it shorter.',
          0,
          86_400_000,
        ).default('60s'),
        negative_ttl: duration('How long Ory’s own no is remembered.', 0, 600_000).default('5s'),
        stale_if_error: duration(
          'How long after that a known identity goes on while Ory cannot be asked; never past its end.',
          0,
          86_400_000,
        ).default('0s'),
        max_entries: z
          .int()
          .min(1)
          .max(10_000_000)
          .default(100_000)
          .meta({ description: 'Identities remembered at once, 1 to 10000000.' }),
        edge_ttl: duration('How long Envoy may remember a yes; 0s switches the edge cache off.', 0, 86_400_000).default(
          '30s',
        ),
        redis: z.string().optional().meta({ description: 'A cache that replicas share.' }),
      })
      .prefault({}),
    edge: z
      .strictObject({
        listen: address('Where Envoy listens.').default('127.0.0.1:8080'),
        tls: z
          .strictObject({ cert: z.string().min(1, 'empty; name a file'), key: z.string().min(1, 'empty; name a file') })
          .optional()
          .meta({ description: 'Files with the certificate chain and its key, where Envoy runs.' }),
        public_url: url('How clients reach the edge; default http://{listen}, https with edge.tls.').optional(),
        trusted_hops: z
          .int()
          .min(0)
          .max(32)
          .default(0)
          .meta({ description: 'Proxies in front whose X-Forwarded-* count, 0 to 32.' }),
        upstream: application.optional().meta({
          description:
            'The application: scheme, host and port. http and https speak HTTP/1.1, h2c and h2 HTTP/2, which gRPC needs.',
        }),
        upstreams: z
          .record(upstreamName, application)
          .optional()
          .meta({ description: 'Several applications by name instead; the first is the default.' }),
        authorizer: upstream.optional().meta({
          description:
            'The authorizer as Envoy reaches it; default http://{serve.http}. Over gRPC the same host with the port of serve.grpc.',
        }),
        admin: address('Envoy’s own admin port.').default('127.0.0.1:9901'),
        ory_path: z
          .string()
          .regex(ORY_PATH, 'not a plain path; write one such as /.ory')
          .optional()
          .meta({ description: 'Ory’s public API below this path of the edge’s own origin.' }),
        mcp: z
          .strictObject({ resource: url('The MCP resource.'), scopes: z.array(z.string()).optional() })
          .optional()
          .meta({ description: 'An MCP server behind the edge.' }),
      })
      .meta({ description: 'The Envoy in front, and what stands behind it.' }),
    serve: z
      .strictObject({
        http: address('The authorizer, over HTTP.').default('127.0.0.1:9191'),
        grpc: address(
          'The authorizer, over gRPC: for `generate --transport grpc` and for gateways that ask so.',
        ).default('127.0.0.1:9192'),
        admin: address('The admin port: health, and POST /revoke.').default('127.0.0.1:9193'),
        admin_token: z
          .string()
          .regex(
            /^[\x21-\x7e]{16,512}$/,
            'not a token; give 16 to 512 characters without blanks and accents, such as what `openssl rand -hex 32` prints',
          )
          .optional()
          .meta({
            description:
              'Bearer token for POST /revoke on the admin port, and for `ory-envoy revoke`. Without it nothing can be revoked there. At least 16 characters.',
          }),
      })
      .prefault({}),
  })
  .meta({ title: 'ory-envoy.yaml', description: 'Who may do what at the edge.' });

/** The file's content with defaults filled in, before addresses and rules are resolved. */
export type ConfigFile = z.output<typeof configSchema>;
export type RuleEntry = NonNullable<ConfigFile['rules']>[number];
export type RequirementEntry = z.output<typeof requirement>;
