// An access token of the backing's development Ory, for cases that have it in a header. Network.
import { createDevelopmentOry } from '../../src/cli/cases/development-ory.ts';
import type { Backing } from './target.ts';

/** For the first of the policy's audiences. */
export async function madeToken({ policy, ports }: Backing, scopes: readonly string[]): Promise<string> {
  const issuer = `http://127.0.0.1:${ports.ory}`;
  const { audiences } = policy['tokens'] as { readonly audiences: readonly string[] };
  const now = Math.floor(Date.now() / 1_000);
  const ory = createDevelopmentOry();
  const claims = { iss: issuer, sub: 'service', client_id: 'client', aud: [audiences[0]], exp: now + 600, iat: now };
  try {
    return await ory.token(issuer, { ...claims, scp: scopes, ext: {} });
  } finally {
    await ory.close();
  }
}
