// What an Ory does, as far as the edge relies on it. The development Ory and the real one pass the same assertions, so
// that the one cannot drift from the other. Each part is a file of its own.
import { afterAll, beforeAll, describe } from 'vitest';
import { describeAal, describeAal1Enough } from './contract-aal.ts';
import { describeCode } from './contract-code.ts';
import { describeIdentities } from './contract-identities.ts';
import { describeLogin } from './contract-login.ts';
import { describeRegistration } from './contract-registration.ts';
import { describeSessionEnd } from './contract-session-end.ts';
import { describeSessions } from './contract-sessions.ts';
import { describeSettings } from './contract-settings.ts';
import { describeTokens } from './contract-tokens.ts';
import { describeWhoami } from './contract-whoami.ts';
import type { ContractPart, Ory, OryOptions } from './ory.ts';

export type StartOry = (options?: OryOptions) => Promise<Ory>;

export function describeOry(name: string, start: StartOry): void {
  describe(name, () => {
    describePart('whoami', start, describeWhoami);
    describePart('login', start, describeLogin);
    describePart('the second factor', start, describeAal);
    describePart('the second factor where aal1 is enough', start, describeAal1Enough, { requiredAal: 'aal1' });
    describePart('settings', start, describeSettings);
    describePart('sessions', start, describeSessions);
    describePart('identities', start, describeIdentities);
    describePart('the end of a session', start, describeSessionEnd, { sessionLifespanSeconds: 20 });
    describePart('access tokens', start, describeTokens);
    describePart('the authorization code', start, describeCode);
    describePart('registration of clients', start, describeRegistration);
  });
}

function describePart(name: string, start: StartOry, part: ContractPart, options?: OryOptions): void {
  describe(name, () => {
    let ory: Ory | undefined;
    beforeAll(async () => {
      ory = await start(options);
    });
    afterAll(async () => {
      await ory?.close();
    });
    part(() => {
      if (!ory) throw new Error('the Ory did not start');
      return ory;
    });
  });
}
