// Random identifiers in the forms that Ory gives them.
import { randomBytes, randomInt } from 'node:crypto';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** 32 alphanumerics after a prefix such as `ory_st_`. */
export function randomToken(prefix: string): string {
  let token = prefix;
  for (let i = 0; i < 32; i++) token += alphabet[randomInt(alphabet.length)];
  return token;
}

/** Two halves of 256 bits after a prefix such as `ory_at_`, as Hydra makes its opaque tokens. */
export function opaqueToken(prefix: string): string {
  return `${prefix}${randomBytes(32).toString('base64url')}.${randomBytes(32).toString('base64url')}`;
}
