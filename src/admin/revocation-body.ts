// What a revocation may look like, as `POST /revoke` and the command line take it. No I/O.
import type { Revocation } from '../check/identity/cache/revocations.ts';

export type RevocationReading =
  | { readonly ok: true; readonly value: Revocation }
  /** What is wrong and how to fix it, in words for who sent it. */
  | { readonly ok: false; readonly problem: string };

const EXAMPLES = '{"session": "ID"}, {"identity": "ID"} or {"all": true}';
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** A `sub` is whatever the issuer made it. */
const ID = /^(?!\s)[^\p{Cc}\p{Cs}]{1,512}(?<!\s)$/u;

/** Of a body: exactly one member, and nothing beside it. What is not understood must not pass for a revocation. */
export function readRevocation(bytes: Uint8Array): RevocationReading {
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return fault(`The body is not JSON. Send ${EXAMPLES}.`);
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return fault(`The body is not an object. Send ${EXAMPLES}.`);
  const members = Object.entries(body);
  const [member] = members;
  if (!member || members.length > 1)
    return fault(`The body has ${members.length} members, and it takes exactly one. Send ${EXAMPLES}.`);
  const [kind, value] = member;
  if (kind === 'all')
    return value === true
      ? { ok: true, value: { kind } }
      : fault('"all" is not true. Send {"all": true} to forget everything.');
  if (kind !== 'session' && kind !== 'identity') return fault(`The body’s one member is not known. Send ${EXAMPLES}.`);
  return readId(kind, value);
}

function readId(kind: 'session' | 'identity', id: unknown): RevocationReading {
  if (kind === 'session')
    return typeof id === 'string' && UUID.test(id)
      ? { ok: true, value: { kind, id } }
      : fault(
          'The session is not the id of a session. Give the UUID that Kratos has for it (session.id), not its token or cookie.',
        );
  return typeof id === 'string' && ID.test(id)
    ? { ok: true, value: { kind, id } }
    : fault(
        'The identity is not an id. Give identity.id of Kratos or sub of tokens: a text of 1 to 512 characters, without blanks at its ends.',
      );
}

function fault(problem: string): RevocationReading {
  return { ok: false, problem };
}
