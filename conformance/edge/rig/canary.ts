// The credentials that a suite has used, to be looked for where they must not be.
import { expect } from 'vitest';
import type { Edge } from './edge.ts';

/** Fails where a credential, or the part of a JWT that makes it one, stands in anything that the edge wrote. */
export function expectNoCredential(edge: Edge, credentials: readonly string[]): void {
  const written = `${edge.authorizer.log()}\n${edge.envoyLog()}`;
  // Asked so that a failure does not print the log.
  expect(/"reason": ?"/.test(written), 'the logs have reasons').toBe(true);
  expect(credentials.length).toBeGreaterThan(0);
  for (const credential of credentials) {
    for (const secret of [credential, credential.split('.').at(-1) ?? '']) {
      if (secret.length >= 12)
        expect(written.includes(secret), `a credential of ${credential.length} characters was written`).toBe(false);
    }
  }
}
