// Kratos, Hydra and the issuer's keys, as far as a check asks them: answers are laid down for each credential. Listens on
// loopback.
import { KEY_SETS, type Keys } from '../jwt/keys.ts';
import type { KratosAnswer } from './session.ts';
import { headerOf, listen, type Respond, response, type WireServer } from './wire.ts';

/** What Ory says of the credentials of one batch; those of a batch before are forgotten. */
export class Answers {
  #sessions = new Map<string, KratosAnswer>();
  #opaque = new Map<string, KratosAnswer>();
  #count = 0;

  /** A text of no other credential. */
  unique(): string {
    return `c${(this.#count++).toString(36)}`;
  }

  ofSession(credential: string, answer: KratosAnswer): void {
    this.#sessions.set(credential, answer);
  }

  ofOpaque(credential: string, answer: KratosAnswer): void {
    this.#opaque.set(credential, answer);
  }

  forget(): void {
    this.#sessions.clear();
    this.#opaque.clear();
  }

  session(credential: string): KratosAnswer {
    return this.#sessions.get(credential) ?? { status: 401, body: '{}' };
  }

  opaque(credential: string): KratosAnswer {
    return this.#opaque.get(credential) ?? { status: 200, body: '{"active":false}' };
  }
}

export interface Ory {
  readonly url: string;
  readonly answers: Answers;
  close(): Promise<void>;
}

export async function startOry(keys: Keys): Promise<Ory> {
  const answers = new Answers();
  const jwks = new Map(
    KEY_SETS.map((set) => [`/jwks/${set}`, response(200, JSON.stringify({ keys: keys.sets[set] }))]),
  );
  const respond: Respond = (head, body) => {
    const [, path = ''] = head.first.split(' ');
    const published = jwks.get(path);
    if (published !== undefined) return published;
    if (path === '/kratos/sessions/whoami') return written(answers.session(credentialOf(head)));
    if (path === '/hydra/admin/oauth2/introspect') {
      return written(answers.opaque(new URLSearchParams(body).get('token') ?? ''));
    }
    return response(503, '{}');
  };
  const server: WireServer = await listen(respond);
  return { url: `http://127.0.0.1:${server.port}`, answers, close: server.close };
}

/** A session cookie's value is the token that it would be elsewhere. */
function credentialOf(head: Parameters<Respond>[0]): string {
  const cookie = headerOf(head, 'cookie');
  return cookie === undefined ? (headerOf(head, 'x-session-token') ?? '') : cookie.slice(cookie.indexOf('=') + 1);
}

function written({ status, body }: KratosAnswer): string | undefined {
  return status === 0 ? undefined : response(status, body, ['content-type: application/json']);
}
