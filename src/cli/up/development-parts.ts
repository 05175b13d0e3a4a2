// The development Ory, the login pages and the demo application as parts of `up`. Opens sockets on loopback.
import { startDemoApp } from '../../dev/app.ts';
import { startLoginUi } from '../../dev/login-ui.ts';
import { startDevOry } from '../../dev/ory.ts';
import { listenError } from '../user-error.ts';
import type { AppSettings, OrySettings, PagesSettings, Settings, StartedPart } from './messages.ts';

/** @throws {UserError} where the port is taken. */
export async function startOryPart({ port, audience }: OrySettings): Promise<StartedPart> {
  const ory = await startDevOry({ port, audience }).catch((error: unknown) => {
    throw listenError(
      error,
      'the development Ory',
      `127.0.0.1:${port}`,
      'write an ory-envoy.yaml with addresses of your own',
    );
  });
  return {
    facts: { users: ory.users, client: ory.client },
    // Its sessions and keys live in it: it goes on with them.
    change: async (next: Settings) => {
      if (next.part === 'ory') ory.setAudience(next.audience);
    },
    close: () => ory.close(),
  };
}

/** @throws {UserError} where the port is taken. */
export async function startPagesPart(settings: PagesSettings): Promise<StartedPart> {
  // Read anew for each page.
  const options = { ...settings };
  const pages = await startLoginUi(options).catch((error: unknown) => {
    throw listenError(error, 'the login pages', `127.0.0.1:${settings.port}`, 'take kratos= out of --with');
  });
  return {
    facts: {},
    change: async (next: Settings) => {
      if (next.part === 'pages') Object.assign(options, next);
    },
    close: () => pages.close(),
  };
}

/** @throws {UserError} where the port is taken. */
export async function startAppPart(settings: AppSettings): Promise<StartedPart> {
  // Read anew for each page.
  const options = { ...settings };
  const app = await startDemoApp(options).catch((error: unknown) => {
    throw listenError(
      error,
      'the demo application',
      `127.0.0.1:${settings.port}`,
      'set edge.upstream to an application of your own',
    );
  });
  return {
    facts: {},
    change: async (next: Settings) => {
      if (next.part === 'app') Object.assign(options, next);
    },
    close: () => app.close(),
  };
}
