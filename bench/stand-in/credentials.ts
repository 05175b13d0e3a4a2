// Credentials as Kratos gives them in form and length, each saying which person it stands for, so that a stand-in for
// Kratos needs no memory. No I/O.
import { createHash } from 'node:crypto';

export const COOKIE = 'ory_kratos_session';

/** Kratos 1.3 seals the session into 288 bytes; the first of them are those of its clock. */
const SEALED_BYTES = 288;
const HEAD = '1795534213|';

/** The value of a session cookie: 384 characters, the last bytes different for each person, as a seal would be. */
export function cookieOf(person: number): string {
  const head = Buffer.from(`${HEAD}${person}|`);
  const noise: Buffer[] = [];
  for (let i = 0; noise.length * 64 < SEALED_BYTES; i++)
    noise.push(createHash('sha512').update(`${person}.${i}`).digest());
  return Buffer.concat([head, ...noise])
    .subarray(0, SEALED_BYTES)
    .toString('base64url');
}

/** A session token: 39 characters. */
export function sessionTokenOf(person: number): string {
  const noise = createHash('sha256').update(String(person)).digest('hex');
  return `ory_st_${`${person}x${noise}`.slice(0, 32)}`;
}

/** Whom either of the two stands for; undefined where it is none of ours. */
export function personOf(credential: string): number | undefined {
  const token = /^ory_st_(\d+)x/.exec(credential)?.[1];
  if (token !== undefined) return sessionTokenOf(Number(token)) === credential ? Number(token) : undefined;
  const head = Buffer.from(credential.slice(0, 40), 'base64url').toString('latin1');
  const person = head.startsWith(HEAD) ? /^(\d+)\|/.exec(head.slice(HEAD.length))?.[1] : undefined;
  return person === undefined || credential.length !== 384 ? undefined : Number(person);
}

/** The identity's id in Kratos, which the application gets as X-User-Id. */
export function identityIdOf(person: number): string {
  return `${person.toString(16).padStart(8, '0')}-3e1a-4186-861e-bd529ce3613d`;
}
