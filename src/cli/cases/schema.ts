// The file of cases, as written: the one source of its types and its JSON Schema. No I/O.
import { z } from 'zod';
import { rfc3339Ms } from '../../check/identity/rfc3339.ts';
import { DENIALS, type Reason } from '../../check/reason.ts';
import { isMoment } from './moment.ts';

/** Verdicts that are no denials, and Envoy's own outage, which only a running edge can give. */
const REASONS = ['session', 'token', 'anonymous', ...Object.keys(DENIALS), 'authorizer_unreachable'] as (
  | Reason
  | 'authorizer_unreachable'
)[];
const STATUSES = [200, 302, 400, 401, 403, 431, 503] as const;

/** RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
/** They belong to the connection, or follow from the URL. */
const OWN_HEADERS = /^(?:host|connection|content-length|transfer-encoding|te|trailer|upgrade|keep-alive|expect)$/i;
const VALUE = /^[^\p{Cc}]*$/u;
const URL_OR_PATH = /^(?:https?:\/\/[^/?#@\\\s]+(?:[/?]|$)|\/)[^#\s\p{Cc}]*$/u;

const json = z.unknown();
const NOT_SECONDS = 'not a time; write seconds since 1970, or relative to now: -20m, +1h';

const headerValue = z
  .string('not a text; put it in quotes')
  .max(65_536, 'too long; write at most 65536 characters')
  .regex(VALUE, 'not a header value; take the line breaks and control characters out');

const headerName = z.string().regex(TOKEN, 'not a header name; use letters, digits and "-"');

/** A moment of Kratos: a time, or one relative to the run. */
const time = z
  .string()
  .refine(
    (text) => isMoment(text) || !Number.isNaN(rfc3339Ms(text)),
    'not a time; write one such as 2030-01-31T12:00:00Z, or relative to now: -20m, +1h',
  )
  .nullish();

/** A moment of a token: seconds since 1970, or relative to the run. */
const seconds = z.union([z.number(), z.string().refine(isMoment, NOT_SECONDS)], NOT_SECONDS).nullish();

/** A member that no rule and no header needs is there to be complete. */
const kratos = { description: 'As Kratos has it.' };

const identity = z.strictObject({
  id: z.string().nullish().meta({ description: 'Default case-identity.' }),
  external_id: z.string().nullish().meta(kratos),
  schema_id: z.string().nullish().meta(kratos),
  schema_url: z.string().nullish().meta(kratos),
  state: z.enum(['active', 'inactive']).nullish().meta({ description: 'Default active.' }),
  state_changed_at: time.meta(kratos),
  traits: z.record(z.string(), json).nullish().meta({ description: 'Default email: case@example.com.' }),
  verifiable_addresses: z.array(json).nullish().meta({ description: 'Default: traits.email, verified.' }),
  recovery_addresses: z.array(json).nullish().meta(kratos),
  metadata_public: json.optional().meta(kratos),
  created_at: time.meta(kratos),
  updated_at: time.meta(kratos),
  organization_id: z.string().nullish().meta(kratos),
});

const session = z.strictObject({
  id: z.string().nullish().meta({ description: 'Default case-session.' }),
  active: z.boolean().nullish().meta({ description: 'Default true.' }),
  expires_at: time.meta({ description: 'Default +1h.' }),
  authenticated_at: time.meta({ description: 'Default now: what max_age is counted from.' }),
  issued_at: time.meta({ description: 'Default now.' }),
  authenticator_assurance_level: z
    .enum(['aal0', 'aal1', 'aal2', 'aal3'])
    .nullish()
    .meta({ description: 'Default aal1.' }),
  authentication_methods: z.array(json).nullish().meta(kratos),
  devices: z.array(json).nullish().meta(kratos),
  tokenized: z.string().nullish().meta(kratos),
  identity: identity.nullish().meta({
    description: 'The person.',
  }),
});

const token = z
  .looseObject({
    exp: seconds.meta({ description: 'Default +5m.' }),
    nbf: seconds.meta({ description: 'Default now.' }),
    iat: seconds.meta({ description: 'Default now.' }),
  })
  .meta({
    description:
      'Claims, merged over those of a good access token: iss of the configuration, aud the first of tokens.audiences, sub case-subject, client_id case-client, scp []. null takes one out.',
  });

const credential = z
  .strictObject({
    session: session
      .optional()
      .meta({ description: 'As Kratos’s whoami has it, merged over a session that is good. null takes a member out.' }),
    session_as: z
      .enum(['session_token', 'session_cookie', 'bearer'])
      .optional()
      .meta({ description: 'How it is presented. Default session_token: X-Session-Token.' }),
    token: token.optional(),
    token_as: z.enum(['jwt', 'opaque', 'unknown_key', 'wrong_signature', 'unsigned']).optional().meta({
      description:
        'What claims cannot say of a token. Default jwt: signed with a key of the issuer. opaque: the claims are what introspection answers, active: false among them.',
    }),
  })
  .refine((given) => Object.keys(given).length > 0, 'empty; give session or token')
  .refine(
    ({ session, session_as }) => session_as === undefined || session !== undefined,
    'session_as without session; give session: {}',
  )
  .refine(
    ({ token, token_as }) => token_as === undefined || token !== undefined,
    'token_as without token; give token: {}',
  )
  .refine(({ token, token_as }) => token?.['active'] !== false || token_as === 'opaque', {
    path: ['token', 'active'],
    error: 'of a JWT nobody asks whether it is active; write token_as: opaque, or exp: -1m',
  });

const expectation = z.strictObject({
  status: z
    .literal([...STATUSES])
    .optional()
    .meta({
      description:
        '200: passed to the application. 302: sent to the login or to a second factor. 431: by a running edge alone, of headers that are too large.',
    }),
  reason: z.enum(REASONS).optional().meta({ description: 'One of docs/reasons.md, or session, token, anonymous.' }),
  rule: z.string().nullish().meta({ description: 'The rule that decided; null: none.' }),
  headers: z
    .record(headerName, z.union([headerValue, z.array(headerValue).min(1, 'empty; write null for none'), z.null()]))
    .optional()
    .meta({
      description:
        'Of a yes the identity headers that the application gets, of a no the headers of the answer. null: not there.',
    }),
});

const oneCase = z.strictObject({
  name: z
    .string()
    .max(200, 'too long; write at most 200 characters')
    .regex(/^[^\p{Cc}]+$/u, 'not a name; write one line that says what is expected')
    .meta({ description: 'What is expected, in a sentence. Unique in the file.' }),
  request: z
    .strictObject({
      method: z
        .string()
        .regex(/^[A-Z]{1,32}$/, 'not a method; write it in capitals, such as GET')
        .refine((name) => name !== 'CONNECT', 'no method of a case, for it has no path; choose another')
        .default('GET')
        .meta({ description: 'In capitals.' }),
      url: z
        .string()
        .max(20_000, 'too long; write at most 20000 characters')
        .refine((text) => !text.includes('#'), { error: 'a fragment ("#") is never sent; take it out', abort: true })
        .regex(URL_OR_PATH, 'not a URL or path; write https://app.acme.com/orders, or /orders for edge.public_url')
        .meta({ description: 'A URL, or a path on the host of edge.public_url. Sent as written.' }),
      headers: z
        .record(
          headerName.refine(
            (name) => !OWN_HEADERS.test(name),
            'not a header of a case; the host is that of request.url',
          ),
          z.union([headerValue, z.array(headerValue)]),
        )
        .optional()
        .meta({ description: 'Header lines; a list is as many lines of one name.' }),
    })
    .meta({ description: 'What a client sends.' }),
  credential: credential
    .optional()
    .meta({ description: 'What the client presents: made for the run, and judged like any other.' }),
  expect: expectation.meta({ description: 'At least one of them; what is not given is not compared.' }),
});

/** The file as written. */
export const casesSchema = z
  .strictObject({
    cases: z
      .array(oneCase)
      .min(1, 'empty; write a case')
      .meta({ description: 'Judged in this order, each for itself.' }),
  })
  .meta({ title: 'cases.yaml', description: 'Requests and the verdicts that are expected of them.' });

export type CaseEntry = z.output<typeof oneCase>;
export type CredentialEntry = NonNullable<CaseEntry['credential']>;
export type Expectation = CaseEntry['expect'];
export type SessionEntry = NonNullable<CredentialEntry['session']>;
export type TokenEntry = NonNullable<CredentialEntry['token']>;
