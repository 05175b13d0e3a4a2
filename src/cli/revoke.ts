// `revoke`: tells a running authorizer to forget, over its admin port. Reads the file, sends one request.
import { Agent, request } from 'node:http';
import { readRevocation } from '../admin/revocation-body.ts';
import type { Revocation } from '../check/identity/cache/revocations.ts';
import { type Address, formatAddress, reachableAddress } from '../config/config.ts';
import { formatDuration } from '../config/duration.ts';
import { loadConfig } from '../config/load.ts';
import { UserError } from './user-error.ts';

export interface RevokeOptions {
  readonly config: string;
  readonly session?: string;
  readonly identity?: string;
  readonly all?: true;
  readonly json?: true;
}

/** Longer than Envoy may take to take what is pushed. */
const TIMEOUT_MS = 15_000;
const MAX_ANSWER_BYTES = 64 * 1024;

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** @throws {ConfigError} {UserError}: 2 for usage and configuration, 1 where it is not done. */
export async function revoke(options: RevokeOptions): Promise<void> {
  const revocation = readOptions(options);
  const { serve } = loadConfig(options.config);
  const { admin, adminToken } = serve;
  if (adminToken === undefined)
    throw new UserError(
      `${options.config}: serve.admin_token is not set, so nothing can be revoked. Set it to "\${ADMIN_TOKEN}", give that variable a long random text (openssl rand -hex 32), and start the authorizer anew.`,
      2,
    );
  if (admin.port === 0)
    throw new UserError(`${options.config}: serve.admin names no port, so it is not known where to ask. Name one.`, 2);
  try {
    const body = await answerOf(admin, adminToken, revocation);
    process.stdout.write(options.json ? `${JSON.stringify(body)}\n` : text(revocation, body));
  } catch (error) {
    if (options.json && error instanceof UserError)
      process.stdout.write(`${JSON.stringify({ status: 'failed', problem: error.message })}\n`);
    throw error;
  }
}

function readOptions({ session, identity, all }: RevokeOptions): Revocation {
  const given = { ...(session === undefined ? {} : { session }), ...(identity === undefined ? {} : { identity }) };
  const one = all === undefined ? given : { ...given, all };
  if (Object.keys(one).length !== 1)
    throw new UserError('revoke takes exactly one of --session ID, --identity ID and --all.', 2);
  const reading = readRevocation(Buffer.from(JSON.stringify(one)));
  if (!reading.ok) throw new UserError(reading.problem, 2);
  return reading.value;
}

async function answerOf(admin: Address, token: string, revocation: Revocation): Promise<Answer['body']> {
  const where = formatAddress(reachableAddress(admin));
  const { status, body } = await send(reachableAddress(admin), token, revocation).catch((error: unknown) => {
    const why = (error as NodeJS.ErrnoException).code ?? (error instanceof Error ? error.message : 'no answer');
    throw new UserError(
      `the authorizer does not answer at ${where} (${why}), and nothing has been revoked as far as is known. Start it, or correct serve.admin.`,
    );
  });
  if (status === 200 && body['status'] === 'ok') return body;
  if (status === 401)
    throw new UserError(
      `the authorizer at ${where} was started with another serve.admin_token than the file has now. Start it anew, or give the one that it has.`,
    );
  const problem = body['problem'];
  throw new UserError(
    `the authorizer at ${where} answers ${status}${typeof problem === 'string' ? `: ${printable(problem)}` : ''}`,
  );
}

function send({ host, port }: Address, token: string, revocation: Revocation): Promise<Answer> {
  const body = JSON.stringify(revocation.kind === 'all' ? { all: true } : { [revocation.kind]: revocation.id });
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host,
        port,
        method: 'POST',
        path: '/revoke',
        // Of its own: the token goes through no proxy that the environment names.
        agent: new Agent(),
        signal: AbortSignal.timeout(TIMEOUT_MS),
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          connection: 'close',
        },
      },
      (incoming) => {
        let text = '';
        incoming.setEncoding('utf8');
        incoming.on('data', (chunk: string) => {
          text += chunk;
          if (text.length > MAX_ANSWER_BYTES) incoming.destroy(new Error('the answer has no end'));
        });
        incoming.on('error', reject);
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body: parse(text) }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Whoever has the port may be another program. */
function parse(text: string): Answer['body'] {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Answer['body']) : {};
  } catch {
    return {};
  }
}

function printable(text: string): string {
  return text.slice(0, 1_000).replaceAll(/\p{C}/gu, '?');
}

function text(revocation: Revocation, body: Answer['body']): string {
  const what =
    revocation.kind === 'all'
      ? 'everything'
      : revocation.kind === 'session'
        ? `session ${revocation.id}`
        : `identity ${revocation.id}`;
  const leftMs = Number(body['remembered_for_ms']);
  const envoy =
    body['edge_caches'] === 'emptied'
      ? 'Envoy remembers nothing of before.'
      : leftMs > 0
        ? `This authorizer feeds no Envoy: one may go by what it remembers for ${formatDuration(leftMs)} more (cache.edge_ttl).`
        : 'Envoy remembers nothing (cache.edge_ttl is 0s).';
  return `Forgotten: ${what}. Ory is asked again.\n${envoy}\n`;
}
