// What `up` adds where there is no file: a development Ory, a demo application, and a policy for them. Opens sockets.
import type { Config, Rule } from '../config/config.ts';
import { parseConfig } from '../config/load.ts';
import { startDemoApp } from '../dev/app.ts';
import { startDevOry } from '../dev/ory.ts';
import { listenError } from './user-error.ts';

export interface Development {
  readonly config: Config;
  readonly oryUrl: string;
  /** Where to click, whom to log in as, what to type. */
  readonly hints: string;
}

const ORY_PORT = 4455;
const EDGE = 'http://127.0.0.1:8080';

/** @throws {UserError} where a port is taken. */
export async function startDevelopment(parts: { add(end: () => Promise<void>): void }): Promise<Development> {
  const ory = await startDevOry({ port: ORY_PORT, audience: [EDGE] }).catch((error: unknown) => {
    throw listenError(
      error,
      'the development Ory',
      `127.0.0.1:${ORY_PORT}`,
      'write an ory-envoy.yaml with addresses of your own',
    );
  });
  parts.add(() => ory.close());
  const loginUrl = `${ory.url}/self-service/login/browser`;
  const app = await startDemoApp({
    port: 0,
    loginUrl: `${loginUrl}?return_to=${encodeURIComponent(`${EDGE}/`)}`,
    logoutUrl: `${ory.url}/logout?return_to=${encodeURIComponent(`${EDGE}/`)}`,
    identityHeaders: ['X-User-Id', 'X-User-Email'],
  });
  parts.add(() => app.close());
  return { config: developmentConfig(ory.url, loginUrl, app.url), oryUrl: ory.url, hints: hints(ory) };
}

/** `/public/**` for anyone; everything else for a session or a token, and a browser without one goes to the login. */
function developmentConfig(oryUrl: string, loginUrl: string, appUrl: string): Config {
  const text = JSON.stringify({ ory: { url: oryUrl }, tokens: { audiences: [EDGE] }, edge: { upstream: appUrl } });
  const config = parseConfig(text, 'the development configuration', { env: {} });
  const rest = config.rules.map((rule): Rule => ({ ...rule, unauthenticated: 'redirect' }));
  const open: Rule = {
    name: 'public',
    host: undefined,
    path: { source: '/public/**', segments: ['public'], rest: true },
    methods: undefined,
    upstream: 'app',
    access: { kind: 'anyone' },
    unauthenticated: 'deny',
    corsOrigins: undefined,
  };
  return { ...config, loginUrl, rules: [open, ...rest] };
}

function hints(ory: Awaited<ReturnType<typeof startDevOry>>): string {
  const [user] = ory.users;
  const people = ory.users.map(({ email, password }) => `  ${email}  password ${password}`).join('\n');
  const login = [
    `  FLOW=$(curl -s ${ory.url}/self-service/login/api | sed 's/.*"action":"\\([^"]*\\)".*/\\1/')`,
    `  SESSION=$(curl -s "$FLOW" -H 'content-type: application/json' -d '{"method":"password","identifier":"${user?.email}","password":"${user?.password}"}' | sed 's/.*"session_token":"\\([^"]*\\)".*/\\1/')`,
    `  curl -i ${EDGE}/ -H "X-Session-Token: $SESSION"`,
  ].join('\n');
  const token = [
    `  TOKEN=$(curl -s -u ${ory.client.id}:${ory.client.secret} ${ory.url}/oauth2/token -d grant_type=client_credentials -d audience=${EDGE} | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`,
    `  curl -i ${EDGE}/ -H "Authorization: Bearer $TOKEN"`,
  ].join('\n');
  return `Open ${EDGE}/ in a browser and log in as one of these:\n${people}\n\nOr from a shell, refused, with a session, with a token:\n  curl -i ${EDGE}/\n\n${login}\n\n${token}`;
}
