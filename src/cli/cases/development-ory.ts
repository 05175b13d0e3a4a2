// Real credentials from the development Ory of `up`: sessions by their properties, tokens by their claims. Any other Ory
// is not asked. Network, to loopback alone.
import { Agent } from 'undici';
import { parseObject } from '../../check/identity/ory-answer.ts';
import { UserError } from '../user-error.ts';
import { someOpaqueToken, someSessionToken } from './present.ts';
import { causeOf } from './send.ts';
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
  const maker = new Maker();
  const foreignKey = createKey('unknown-key');
  return {
    async session(kratosUrl, session) {
      // Nobody looks at it: any value does.
      if (kratosUrl === undefined) return { token: someSessionToken(), cookie: someSessionToken() };
      const made = await maker.make(kratosUrl, 'sessions', session);
      return { token: made('session_token'), cookie: made('session_cookie') };
    },
    async token(origin, claims) {
      if (origin === undefined) return await sign(claims, await foreignKey);
      return (await maker.make(origin, 'tokens', claims))('access_token');
    },
    async opaqueToken(adminUrl, claims) {
      if (adminUrl === undefined) return someOpaqueToken();
      return (await maker.make(adminUrl, 'opaque-tokens', claims))('access_token');
    },
    foreignToken: async (claims) => await sign(claims, await foreignKey),
    close: () => maker.close(),
  };
}

class Maker {
  readonly #agent = new Agent({ headersTimeout: LIMIT_MS, bodyTimeout: LIMIT_MS, connect: { timeout: LIMIT_MS } });
  /** Whether it is a development Ory, by URL. */
  readonly #known = new Map<string, Promise<boolean>>();

  /** Its answer, by member. @throws {UserError} */
  async make(url: string, what: What, content: object): Promise<(member: string) => string> {
    const asked = this.#known.get(url) ?? this.#isDevelopmentOry(url);
    this.#known.set(url, asked);
    if (!(await asked)) throw new UserError(notMade(url, what));
    const { status, text } = await this.#post(url, what, content);
    const made = status === 201 ? parseObject(text) : undefined;
    return (member) => {
      const value = made?.[member];
      if (typeof value === 'string') return value;
      throw new UserError(`the development Ory at ${url} made no credential (${status})`);
    };
  }

  async #post(url: string, what: What, content: object): Promise<{ readonly status: number; readonly text: string }> {
    try {
      const { statusCode, body } = await this.#agent.request({
        ...target(`${url}/admin/development/${what}`),
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(content),
      });
      return { status: statusCode, text: await body.text() };
    } catch (error) {
      throw new UserError(`the development Ory at ${url} does not answer (${causeOf(error)})`);
    }
  }

  async #isDevelopmentOry(url: string): Promise<boolean> {
    if (!LOOPBACK.test(new URL(url).hostname)) return false;
    try {
      const { headers, body } = await this.#agent.request({ ...target(`${url}/health/ready`), method: 'GET' });
      await body.dump();
      return headers['x-ory-envoy-development'] !== undefined;
    } catch {
      return false;
    }
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}

function notMade(url: string, what: What): string {
  const header = what === 'sessions' ? 'X-Session-Token: "${SESSION}"' : 'Authorization: "Bearer ${TOKEN}"';
  return `${url} is not the development Ory of ory-envoy up, so no credential can be made there: give request.headers with ${header} in place of credential`;
}

function target(url: string) {
  const { origin, pathname, search } = new URL(url);
  return { origin, path: `${pathname}${search}` };
}
