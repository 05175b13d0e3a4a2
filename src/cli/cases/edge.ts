// A running edge asked about cases: each request is sent as written, and the verdict read from the answer. Network.
import type { Config } from '../../config/config.ts';
import { UserError } from '../user-error.ts';
import { readAnswer } from './answer.ts';
import type { Case, HeaderLine } from './case.ts';
import { claimsOf, sessionOf } from './credential.ts';
import { createDevelopmentOry, type DevelopmentOry } from './development-ory.ts';
import type { Judge } from './engine.ts';
import { presentSession, presentToken, unsigned, withOtherSignature } from './present.ts';
import { type Answer, causeOf, send } from './send.ts';
import type { Outcome } from './verdict.ts';

/** @throws {UserError} where no edge answers there. */
export async function createEdgeJudge(config: Config, address: string, nowMs: number): Promise<Judge> {
  const url = edgeUrl(address);
  await mustBeAnEdge(url, config);
  return createJudgeAt(url, config, nowMs, readAnswer);
}

/** Which verdict an answer stands for. */
type Reader = typeof readAnswer;

/** Whether an edge answers at `url`, `read` must know: every answer that it takes for a yes is one. */
export function createJudgeAt(url: URL, config: Config, nowMs: number, read: Reader): Judge {
  const ory = createDevelopmentOry();
  return { judge: (one) => judge(one, { config, url, ory, nowMs, read }), close: () => ory.close() };
}

interface Parts {
  readonly config: Config;
  readonly url: URL;
  readonly ory: DevelopmentOry;
  readonly nowMs: number;
  readonly read: Reader;
}

function edgeUrl(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/`)
    throw new UserError(
      `--edge ${address}: not an address. Write scheme, host and port, such as http://127.0.0.1:8080.`,
      2,
    );
  return url;
}

/** Against another server every case that expects a yes would be as expected. */
async function mustBeAnEdge(url: URL, config: Config): Promise<void> {
  const probe = { method: 'GET', host: url.host, target: '/%2f', headers: [] };
  const answer = await send(url, probe).catch((error: unknown) => {
    throw new UserError(
      `the edge at ${url.origin} does not answer (${causeOf(error)}). Start it, or correct --edge.`,
      2,
    );
  });
  const seen = readAnswer(answer, probe, config);
  if (seen.kind === 'verdict' && seen.reason === 'path_ambiguous') return;
  throw new UserError(
    `what answers at ${url.origin} is no edge of ory-envoy: it does not refuse an ambiguous path as one does. Correct --edge.`,
    2,
  );
}

async function judge(one: Case, parts: Parts): Promise<Outcome> {
  let headers: readonly HeaderLine[];
  try {
    headers = [...one.request.headers, ...(await credentialLines(one, parts))];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { kind: 'unjudged', problem: error.message };
  }
  const { method, host, target } = one.request;
  let answer: Answer;
  try {
    answer = await send(parts.url, { method, host, target, headers });
  } catch (error) {
    return { kind: 'unjudged', problem: `no answer came (${causeOf(error)})` };
  }
  return parts.read(answer, one.request, parts.config);
}

/** @throws {UserError} where no real credential can be made. */
async function credentialLines({ credential }: Case, { config, ory, nowMs }: Parts): Promise<HeaderLine[]> {
  const lines: HeaderLine[] = [];
  if (credential?.session) {
    const { token, cookie } = await ory.session(config.sessions?.kratosUrl, sessionOf(credential.session, nowMs));
    lines.push(presentSession(token, cookie, credential.session_as, config));
  }
  if (credential?.token) {
    const claims = claimsOf(credential.token, config, nowMs);
    lines.push(presentToken(await tokenOf(credential.token_as, claims, ory, config)));
  }
  return lines;
}

async function tokenOf(
  as: NonNullable<Case['credential']>['token_as'],
  claims: object,
  ory: DevelopmentOry,
  { tokens }: Config,
): Promise<string> {
  const issuer = tokens && new URL(tokens.jwksUrl).origin;
  switch (as) {
    case 'opaque':
      return await ory.opaqueToken(tokens?.introspection && new URL(tokens.introspection.url).origin, claims);
    case 'unsigned':
      return unsigned(claims);
    case 'unknown_key':
      return await ory.foreignToken(claims);
    case 'wrong_signature':
      return withOtherSignature(await ory.token(issuer, claims));
    case 'jwt':
    case undefined:
      return await ory.token(issuer, claims);
  }
}
