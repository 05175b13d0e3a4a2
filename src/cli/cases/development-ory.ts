// Real credentials from the development Ory of `up`: sessions by their properties, tokens by their claims. Any other Ory
// is not asked. Network, to loopback alone.
import { Agent } from 'undici';
import { UserError } from '../user-error.ts';
import { someOpaqueToken, someSessionToken } from './present.ts';
import { createKey, sign } from './sign.ts';

export interface DevelopmentOry {
  /** As `kratosUrl` knows it from now on; undefined where no rule looks at sessions. @throws {UserError} */
  session(kratosUrl: string | undefined, session: object): Promise<{ readonly token: string; readonly cookie: string }>;
  /** As the issuer at this origin signs it; undefined where no rule looks at tokens. @throws {UserError} */
  token(origin: string | undefined, claims: object): Promise<string>;
  /** As introspection there knows it; undefined where no rule takes opaque tokens. @throws {UserError} */
  opaqueToken(adminUrl: string | undefined, claims: object): Promise<string>;
  /** Of a key that is no issuer's. */
  foreignToken(claims: object): Promise<string>;
  close(): Promise<void>;
}

type What = 'sessions' | 'tokens' | 'opaque-tokens';

const LIMIT_MS = 10_000;
const LOOPBACK = /^(?:127\.0\.0\.1|localhost|\[::1\])$/;

export function createDevelopmentOry(): DevelopmentOry {
  const agent = new Agent({ headersTimeout: LIMIT_MS, bodyTimeout: LIMIT_MS, connect: { timeout: LIMIT_MS } });
  const known = new Map<string, Promise<boolean>>();
  const foreignKey = createKey('unknown-key');

  const isDevelopmentOry = async (url: string): Promise<boolean> => {
    if (!LOOPBACK.test(new URL(url).hostname)) return false;
    try {
      const { headers, body } = await agent.request({ ...target(`${url}/health/ready`), method: 'GET' });
      await body.dump();
      return headers['x-ory-envoy-development'] !== undefined;
    } catch {
      return false;
    }
  };
  const make = async (url: string, what: What, content: object) => {
    const asked = known.get(url) ?? isDevelopmentOry(url);
    known.set(url, asked);
    if (!(await asked)) throw new UserError(notMade(url, what));
    const { statusCode, body } = await agent.request({
      ...target(`${url}/admin/development/${what}`),
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(content),
    });
    const text = await body.text();
    if (statusCode !== 201) throw new UserError(`the development Ory at ${url} made no credential (${statusCode})`);
    return JSON.parse(text) as Readonly<Record<string, string>>;
  };
  return {
    async session(kratosUrl, session) {
      // Nobody looks at it: any value does.
      if (kratosUrl === undefined) return { token: someSessionToken(), cookie: someSessionToken() };
      const { session_token: token = '', session_cookie: cookie = '' } = await make(kratosUrl, 'sessions', session);
      return { token, cookie };
    },
    async token(origin, claims) {
      if (origin === undefined) return await sign(claims, await foreignKey);
      return (await make(origin, 'tokens', claims))['access_token'] ?? '';
    },
    async opaqueToken(adminUrl, claims) {
      if (adminUrl === undefined) return someOpaqueToken();
      return (await make(adminUrl, 'opaque-tokens', claims))['access_token'] ?? '';
    },
    foreignToken: async (claims) => await sign(claims, await foreignKey),
    close: () => agent.destroy(),
  };
}

function notMade(url: string, what: What): string {
  const header = what === 'sessions' ? 'X-Session-Token: "${SESSION}"' : 'Authorization: "Bearer ${TOKEN}"';
  return `${url} is not the development Ory of ory-envoy up, so no credential can be made there: give request.headers with ${header} in place of credential`;
}

function target(url: string) {
  const { origin, pathname, search } = new URL(url);
  return { origin, path: `${pathname}${search}` };
}
