// `POST /revoke` on the admin port: what Kratos's web hooks, applications and `ory-envoy revoke` send. Reads a request.
import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Revocation } from '../check/identity/cache/revocations.ts';
import { type Log, ThrottledLog } from '../check/log.ts';
import { PushError, type Revoked } from '../server/edge-caches.ts';
import { readRevocation } from './revocation-body.ts';

export interface RevokeParts {
  /** `serve.admin_token`, asked anew for each request; without one nothing can be revoked here. */
  readonly token: () => string | undefined;
  /** Undefined before the authorizer runs. @throws {PushError} */
  readonly revoke: (revocation: Revocation) => Promise<Revoked> | undefined;
  readonly log: Log;
}

/** An answer with a JSON body. */
export interface AdminAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: object;
}

const MAX_BODY_BYTES = 4_096;

export type Revoke = (request: IncomingMessage) => Promise<AdminAnswer>;

/**
 * The bearer is the defence, also against pages in a browser of this machine: none can send it across origins, since no
 * preflight is answered. It is looked at before anything of the body is read. No id is logged.
 */
export function createRevoke({ token, revoke, log }: RevokeParts): Revoke {
  const refused = new ThrottledLog(log, Date.now);
  return async (request) => {
    if (request.method !== 'POST') return refusal(405, 'Only POST revokes.', { allow: 'POST' });
    const wanted = token();
    if (wanted === undefined)
      return refusal(
        403,
        'POST /revoke is off. Set serve.admin_token in the authorizer’s file, such as "${ADMIN_TOKEN}" with a long random text in that variable, and start it anew.',
      );
    if (!isAuthorized(request, wanted)) {
      refused.warn('token', {}, 'a revocation was refused: it brings no serve.admin_token, or another one');
      return refusal(401, 'Send serve.admin_token of the authorizer’s file: Authorization: Bearer TOKEN.', {
        'www-authenticate': 'Bearer realm="ory-envoy admin"',
      });
    }
    const body = await readBody(request);
    if (body === undefined) return refusal(413, `The body has more than ${MAX_BODY_BYTES} bytes. Send the id alone.`);
    const reading = readRevocation(body);
    return reading.ok ? await carryOut(reading.value, revoke, log) : refusal(400, reading.problem);
  };
}

async function carryOut(revocation: Revocation, revoke: RevokeParts['revoke'], log: Log): Promise<AdminAnswer> {
  const { kind } = revocation;
  try {
    const revoked = revoke(revocation);
    if (!revoked) return refusal(503, 'The authorizer is just starting. Send it again.', { 'retry-after': '1' });
    const { edgeCaches, rememberedForMs } = await revoked;
    log.info({ kind, edge_caches: edgeCaches }, 'revoked');
    return { status: 200, body: { status: 'ok', edge_caches: edgeCaches, remembered_for_ms: rememberedForMs } };
  } catch (error) {
    // Anything else may quote what was sent.
    const why = error instanceof PushError ? error.message : 'a fault of ory-envoy itself';
    log.error(
      { kind, err: { name: error instanceof Error ? error.name : typeof error }, why },
      'revoked in the authorizer, but an edge cache could not be emptied',
    );
    return refusal(503, `The authorizer has forgotten, but an Envoy may still remember: ${why}. Send it again.`, {
      'retry-after': '1',
    });
  }
}

function refusal(status: number, problem: string, headers: Readonly<Record<string, string>> = {}): AdminAnswer {
  return { status, headers, body: { status: status === 503 ? 'failed' : 'refused', problem } };
}

/** Exactly one Authorization, compared by digest: neither its length nor where it differs can be told from the time. */
function isAuthorized(request: IncomingMessage, wanted: string): boolean {
  const lines = request.headersDistinct['authorization'] ?? [];
  const [, sent] = /^bearer +([\x21-\x7e]+)$/i.exec(lines[0] ?? '') ?? [];
  if (lines.length !== 1 || sent === undefined) return false;
  return timingSafeEqual(digest(sent), digest(wanted));
}

function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}

/** Undefined where there is too much of it. How long it may take is the listener's. */
async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
