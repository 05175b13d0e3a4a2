// The development Ory, driven as the real one is: over its APIs alone. Network.
import { startDevOry } from '../../src/dev/ory.ts';
import { authorizeByPages } from './authorize-dev.ts';
import { connect } from './client.ts';
import type { Ory, OryOptions } from './ory.ts';

export async function startDevelopmentOry(options: OryOptions = {}): Promise<Ory> {
  const { sessionLifespanSeconds, requiredAal } = options;
  const dev = await startDevOry({
    port: 0,
    audience: [],
    ...(sessionLifespanSeconds === undefined ? {} : { sessionLifespanSeconds }),
    ...(requiredAal === undefined ? {} : { requiredAal }),
  });
  const both = { publicUrl: dev.url, adminUrl: dev.url };
  try {
    const hydra = { ...both, issuer: dev.issuer };
    const ory = await connect({ name: 'development Ory', kratos: both, hydra }, authorizeByPages(both));
    return { ...ory, close: dev.close };
  } catch (error) {
    await dev.close();
    throw error;
  }
}
