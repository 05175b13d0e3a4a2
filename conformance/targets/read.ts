// Which verdict an answer stands for where the table's application is known to be behind the edge: what it did not
// answer, something before it refused, in whatever words. No I/O.
import { WIRE } from '../../src/check/wire.ts';
import { type EdgeWords, readAnswer } from '../../src/cli/cases/answer.ts';
import type { HeaderLine } from '../../src/cli/cases/case.ts';
import type { AskedFor } from '../../src/cli/cases/own-reply.ts';
import { type Answer, decoded, lineOf } from '../../src/cli/cases/send.ts';
import type { Outcome } from '../../src/cli/cases/verdict.ts';
import { SEEN } from './app.ts';

/** Begins the note of a denial that is not the authorizer's. */
const OWN_WORDS = 'in its own words: ';
/** What of a gRPC call is a refusal, as the status that any other request would have got. */
const REFUSED_CALLS: Readonly<Record<string, number>> = { 7: 403, 13: 400, 16: 401 };
const NO_APPLICATION = /^(?:no healthy upstream|upstream connect error|upstream request timeout)/;
/** What an edge tells the authorizer in header lines of a request. */
const INTERNAL: readonly string[] = [WIRE.edgeKey, WIRE.policy, WIRE.statusVia, WIRE.jwtFailure];

export function readTargetAnswer(answer: Answer, asked: AskedFor, edge: EdgeWords): Outcome {
  const seen = lineOf(answer, SEEN);
  if (seen !== undefined) return passed(seen, edge);
  const said = readAnswer(answer, asked, edge);
  // The authorizer's: by its reason, or, of HEAD, by how bare it is.
  if (said.kind === 'verdict' && said.status !== 200 && said.note === undefined) return said;
  const { status, lines, body } = answer;
  const call = lineOf(answer, 'grpc-status');
  const meant = call === undefined ? status : REFUSED_CALLS[call];
  const words = call === undefined ? body : decoded(lineOf(answer, 'grpc-message') ?? '');
  const note = `${OWN_WORDS}${status} ${words.slice(0, 200)}`;
  const denied = {
    kind: 'verdict',
    reason: undefined,
    rule: { kind: 'unseen' },
    headers: { identity: undefined, lines },
  } as const;
  if (meant === 302) return { ...denied, status: meant };
  if (meant !== undefined && meant >= 400 && !NO_APPLICATION.test(words)) return { ...denied, status: meant, note };
  // Neither an outage of the application nor an empty 200 says that somebody has judged.
  return { kind: 'unjudged', problem: `neither the application nor a refusal: ${note}` };
}

/** Every header that could be taken for an identity, or that belongs to the edge alone, whatever its spelling. */
function passed(seen: string, { identityHeaders }: EdgeWords): Outcome {
  const names = identityHeaders.map(({ name }) => name);
  const wanted = names.map(spelled);
  const received = JSON.parse(Buffer.from(seen, 'base64url').toString('utf8')) as HeaderLine[];
  const lines = received
    .filter(([name]) => wanted.includes(spelled(name)) || INTERNAL.includes(spelled(name)))
    .map(([name, value]): HeaderLine => [name.toLowerCase(), value]);
  return {
    kind: 'verdict',
    status: 200,
    reason: undefined,
    rule: { kind: 'unseen' },
    headers: { identity: names, lines },
  };
}

/** As an application sees it that cannot tell a hyphen from another sign. */
export function spelled(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-');
}
