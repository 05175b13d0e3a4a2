// Random identifiers in the forms that Ory gives them.
import { randomInt } from 'node:crypto';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** 32 alphanumerics after a prefix such as `ory_st_`. */
export function randomToken(prefix: string): string {
  let token = prefix;
  for (let i = 0; i < 32; i++) token += alphabet[randomInt(alphabet.length)];
  return token;
}
