// Calls to Ory: one credential a call, bounded in time, size and number. Does network I/O through undici.
import { getCACertificates } from 'node:tls';
import { Agent, type Dispatcher } from 'undici';

export interface OryAnswer {
  readonly kind: 'answer';
  readonly status: number;
  /** Values of one header, by lower-case name. */
  header(name: string): readonly string[];
  readonly body: string;
}

/** No answer was had: refused, reset, too slow, too large, or too many calls under way. */
export interface NoAnswer {
  readonly kind: 'none';
  readonly cause: string;
}

type Headers = Readonly<Record<string, string>>;

export interface OryClient {
  /** GET without following redirects. Never throws. */
  get(url: string, headers: Headers): Promise<OryAnswer | NoAnswer>;
  /** POST of a form, likewise. For questions alone: it may arrive twice. */
  ask(url: string, form: Readonly<Record<string, string>>, headers: Headers): Promise<OryAnswer | NoAnswer>;
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 1024 * 1024;
const MAX_CONNECTIONS = 128;
/** When a server hangs, further checks of it are answered at once instead of piling up; those of another server go on. */
const MAX_UNDER_WAY = 2_048;

/** `timeoutMs` bounds the whole call, connection and body included. */
export function createOryClient(timeoutMs: number): OryClient {
  const agents = new Agents(timeoutMs);
  /** By origin: as many as the file names. */
  const underWay = new Map<string, number>();
  const bounded = async (call: Call): Promise<OryAnswer | NoAnswer> => {
    const origin = URL.canParse(call.url) ? new URL(call.url).origin : '';
    const before = underWay.get(origin) ?? 0;
    if (before >= MAX_UNDER_WAY) return { kind: 'none', cause: 'too many calls under way' };
    underWay.set(origin, before + 1);
    // Not AbortSignal.timeout(): that one lives on until its time is up, thousands of them under load.
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(new DOMException('no answer in time', 'TimeoutError')), timeoutMs);
    try {
      return await callOnceMore(agents.for(origin), call, limit.signal);
    } catch (error) {
      return { kind: 'none', cause: causeOf(error) };
    } finally {
      clearTimeout(timer);
      underWay.set(origin, (underWay.get(origin) ?? 1) - 1);
    }
  };
  return {
    get: (url, headers) => bounded({ method: 'GET', url, headers, body: null }),
    ask: (url, form, headers) =>
      bounded({
        method: 'POST',
        url,
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: new URLSearchParams(form).toString(),
      }),
    close: () => agents.destroy(),
  };
}

/** Made when they are first needed: the machine's certificates take tens of milliseconds to read. */
class Agents {
  readonly #timeoutMs: number;
  #plain: Agent | undefined;
  #tls: Agent | undefined;
  #destroyed = false;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** @throws once they are destroyed. */
  for(origin: string): Agent {
    if (this.#destroyed) throw new Error('the client is closed');
    if (!origin.startsWith('https:')) {
      this.#plain ??= this.#create();
      return this.#plain;
    }
    this.#tls ??= this.#create([...getCACertificates('default'), ...getCACertificates('system')]);
    return this.#tls;
  }

  async destroy(): Promise<void> {
    this.#destroyed = true;
    await Promise.all([this.#plain?.destroy(), this.#tls?.destroy()]);
  }

  #create(ca?: readonly string[]): Agent {
    const timeoutMs = this.#timeoutMs;
    return new Agent({
      connections: MAX_CONNECTIONS,
      pipelining: 1,
      keepAliveTimeout: 10_000,
      connect: { timeout: timeoutMs, ...(ca ? { ca: [...ca] } : {}) },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      maxResponseSize: MAX_BODY_BYTES,
    });
  }
}

interface Call {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Headers;
  readonly body: string | null;
}

/** A kept-alive connection that Ory has just closed is not an outage: a question that got no answer is sent once more. */
async function callOnceMore(agent: Agent, call: Call, signal: AbortSignal): Promise<OryAnswer> {
  try {
    return await callOnce(agent, call, signal);
  } catch (error) {
    if (!['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(codeOf(error)) || signal.aborted) throw error;
    return await callOnce(agent, call, signal);
  }
}

async function callOnce(
  agent: Agent,
  { method, url, headers, body: sent }: Call,
  signal: AbortSignal,
): Promise<OryAnswer> {
  const { origin, pathname, search } = new URL(url);
  const response = await agent.request({
    origin,
    path: `${pathname}${search}`,
    method,
    headers: { accept: 'application/json', 'user-agent': 'ory-envoy', ...headers },
    body: sent,
    signal,
  } satisfies Dispatcher.RequestOptions);
  const body = await response.body.text();
  return {
    kind: 'answer',
    status: response.statusCode,
    header(name) {
      const value = response.headers[name];
      return value === undefined ? [] : typeof value === 'string' ? [value] : value;
    },
    body,
  };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** An error's code or name alone: its message may quote what was sent. */
function causeOf(error: unknown): string {
  return codeOf(error) || (error instanceof Error ? error.name : 'unknown');
}
