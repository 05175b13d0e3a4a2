// One question to a real Kratos on behalf of a browser, bounded in time and size. Network.
import type { DevContext } from './answer.ts';

const maxBytes = 256 * 1024;

export type Asked =
  | { readonly kind: 'answered'; readonly status: number; readonly body: unknown }
  | { readonly kind: 'unavailable'; readonly why: string };

interface Question {
  readonly url: string;
  readonly timeoutMs: number;
  /** Names of the cookies that go with it; `*` at the end is any. */
  readonly cookies: readonly string[];
}

export async function askKratos({ url, timeoutMs, cookies }: Question, c: DevContext): Promise<Asked> {
  try {
    const response = await fetch(url, {
      headers: { accept: 'application/json', cookie: chosenCookies(c.req.header('cookie') ?? '', cookies) },
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await readBounded(response);
    return { kind: 'answered', status: response.status, body: parse(text) };
  } catch (error) {
    return { kind: 'unavailable', why: reason(error) };
  }
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if (error.name === 'TimeoutError') return 'it took too long';
  return error.cause instanceof Error && 'code' in error.cause ? String(error.cause.code) : error.message;
}

/** Cookies do not know of ports: the other applications of this machine keep theirs to themselves. */
function chosenCookies(header: string, names: readonly string[]): string {
  const chosen = header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => {
      const name = pair.slice(0, Math.max(0, pair.indexOf('=')));
      return names.some((wanted) => (wanted.endsWith('*') ? name.startsWith(wanted.slice(0, -1)) : name === wanted));
    });
  return chosen.join('; ');
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength;
    if (length > maxBytes) throw new Error(`its answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
