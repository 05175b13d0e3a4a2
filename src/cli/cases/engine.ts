// The engine asked about cases: the whole check of the authorizer, with a Kratos and a Hydra that stand in and know the
// case's credential alone. No I/O, and one moment for the whole run.
import { createCheck } from '../../check/check.ts';
import type { NoAnswer, OryAnswer, OryClient } from '../../check/identity/ory-client.ts';
import type { Log } from '../../check/log.ts';
import { HeaderLines } from '../../check/request/header-lines.ts';
import { createAnswerer } from '../../check/response/answer.ts';
import type { Config } from '../../config/config.ts';
import { introspected } from '../../dev/introspected.ts';
import { createVerification } from '../../server/policies.ts';
import { normalisedByEnvoy } from './as-envoy.ts';
import type { Case } from './case.ts';
import { claimsOf, sessionOf } from './credential.ts';
import {
  presentSession,
  presentToken,
  someOpaqueToken,
  someSessionToken,
  unsigned,
  withOtherSignature,
} from './present.ts';
import { createKey, sign } from './sign.ts';
import type { Outcome, SeenRule } from './verdict.ts';

export interface Judge {
  judge(one: Case): Promise<Outcome>;
  close(): Promise<void>;
}

export async function createEngine(config: Config, nowMs: number): Promise<Judge> {
  const issuer = await createIssuer();
  return { judge: (one) => judge(one, config, issuer, nowMs), close: async () => {} };
}

/** Envoy's routes to Ory come before every rule. */
function isOrys(target: string, { edge }: Config): boolean {
  const [path = ''] = target.split('?', 1);
  return edge.ory !== undefined && (path === edge.ory.path || path.startsWith(`${edge.ory.path}/`));
}

async function judge(one: Case, config: Config, issuer: Issuer, nowMs: number): Promise<Outcome> {
  const { request, credential } = one;
  const target = normalisedByEnvoy(request.target);
  if (isOrys(target, config))
    return {
      kind: 'unjudged',
      problem: `below edge.ory_path Envoy leads to Ory, and no rule is asked: try it with --edge`,
    };
  const clock = () => nowMs;
  const log = new LastWarning();
  const ory = new StandInOry(config, issuer);
  const headers = [...request.headers];
  if (credential?.session) {
    const token = someSessionToken();
    ory.session = { token, answer: sessionOf(credential.session, nowMs) };
    headers.push(presentSession(token, token, credential.session_as, config));
  }
  if (credential?.token) {
    const claims = claimsOf(credential.token, config, nowMs);
    const token = await issuer.issue(claims, credential.token_as);
    ory.opaque = { token, answer: introspected(claims, nowMs) };
    headers.push(presentToken(token));
  }

  const lines = new HeaderLines();
  for (const [name, value] of headers) lines.add(name.toLowerCase(), value);
  const check = lines.toRequest(request.method, request.host, target);
  // Anew for each case: what one has made it remember must not judge the next.
  const verification = createVerification(config, { log, clock }, ory);
  const verdict = await createCheck({ config, clock, log, ...verification.parts })(check);
  const answer = createAnswerer(config, log, clock)(verdict, check);
  const note = log.note === undefined ? {} : { note: log.note };
  const rule: SeenRule = answer.rule === undefined ? { kind: 'none' } : { kind: 'rule', name: answer.rule };
  const found = { kind: 'verdict', reason: answer.reason, rule, ...note } as const;
  if (answer.kind === 'allow')
    return {
      ...found,
      status: 200,
      headers: { identity: config.identityHeaders.map(({ name }) => name), lines: answer.changes.set },
    };
  return { ...found, status: answer.denial.status, headers: { identity: undefined, lines: answer.denial.headers } };
}

/** Signs what the stand-in's JWKS has the key of, and what it has not. */
interface Issuer {
  readonly jwks: string;
  issue(claims: object, as: TokenAs): Promise<string>;
}

type TokenAs = NonNullable<Case['credential']>['token_as'];

async function createIssuer(): Promise<Issuer> {
  const known = await createKey('case-key');
  const unknown = await createKey('unknown-key');
  return {
    jwks: JSON.stringify({ keys: [known.jwk] }),
    async issue(claims, as) {
      switch (as) {
        case 'opaque':
          return someOpaqueToken();
        case 'unsigned':
          return unsigned(claims);
        case 'unknown_key':
          return await sign(claims, unknown);
        case 'wrong_signature':
          return withOtherSignature(await sign(claims, known));
        case 'jwt':
        case undefined:
          return await sign(claims, known);
      }
    },
  };
}

/** Answers as Kratos and Hydra do, and knows one session and one key. */
class StandInOry implements OryClient {
  readonly #config: Config;
  readonly #issuer: Issuer;
  session: { readonly token: string; readonly answer: object } | undefined;
  opaque: { readonly token: string; readonly answer: object } | undefined;

  constructor(config: Config, issuer: Issuer) {
    this.#config = config;
    this.#issuer = issuer;
  }

  async get(url: string, headers: Readonly<Record<string, string>>): Promise<OryAnswer | NoAnswer> {
    if (url === `${this.#config.sessions?.kratosUrl}/sessions/whoami`) return this.#whoami(headers);
    if (url === this.#config.tokens?.jwksUrl) return answer(200, this.#issuer.jwks);
    return NOBODY;
  }

  #whoami({ cookie, 'x-session-token': token }: Readonly<Record<string, string>>): OryAnswer {
    const presented = token ?? cookie?.slice(cookie.indexOf('=') + 1);
    return this.session && presented === this.session.token
      ? answer(200, JSON.stringify(this.session.answer))
      : answer(401, '{"error":{"code":401}}');
  }

  /** Introspection, which knows no token but the case's. */
  async ask(url: string, { token }: Readonly<Record<string, string>>): Promise<OryAnswer | NoAnswer> {
    if (url !== this.#config.tokens?.introspection?.url) return NOBODY;
    return answer(200, JSON.stringify(token === this.opaque?.token ? this.opaque?.answer : { active: false }));
  }

  async close(): Promise<void> {}
}

const NOBODY: NoAnswer = { kind: 'none', cause: 'a case asks nobody' };

function answer(status: number, body: string): OryAnswer {
  return { kind: 'answer', status, header: () => [], body };
}

/** Why something could not be judged: the authorizer's own words. */
class LastWarning implements Log {
  note: string | undefined;

  info(): void {}

  warn(fields: object, message: string): void {
    this.note = 'cause' in fields && typeof fields.cause === 'string' ? `${message}: ${fields.cause}` : message;
  }

  error(fields: object, message: string): void {
    this.warn(fields, message);
  }
}
