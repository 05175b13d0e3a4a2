// Login flows of the development Ory, in the form in which Kratos hands them out. No I/O.
import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';

export interface Flow {
  readonly id: string;
  readonly type: 'api' | 'browser';
  readonly requestUrl: string;
  readonly returnTo: string | undefined;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  /** What the last attempt left: the identifier to show again, and what was wrong. */
  identifier: string;
  problem: Problem | undefined;
}

export interface Problem {
  readonly id: number;
  readonly text: string;
}

const maxFlows = 1_000;
const lifespanMs = 60 * 60 * 1000;

export class Flows {
  readonly #byId = new LRUCache<string, Flow>({ max: maxFlows });
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  begin(type: Flow['type'], requestUrl: string, returnTo?: string): Flow {
    const issuedAtMs = this.#clock();
    const expiresAtMs = issuedAtMs + lifespanMs;
    const given = { id: randomUUID(), type, requestUrl, returnTo, issuedAtMs, expiresAtMs };
    const flow: Flow = { ...given, identifier: '', problem: undefined };
    this.#byId.set(flow.id, flow);
    return flow;
  }

  get(id: string): Flow | undefined {
    const flow = this.#byId.get(id);
    return flow && flow.expiresAtMs > this.#clock() ? flow : undefined;
  }
}

/** `token` is the csrf token of a browser flow, '' in an API flow. */
export function flowJson(flow: Flow, baseUrl: string, token: string): Record<string, unknown> {
  const issuedAt = new Date(flow.issuedAtMs).toISOString();
  return {
    id: flow.id,
    organization_id: null,
    type: flow.type,
    expires_at: new Date(flow.expiresAtMs).toISOString(),
    issued_at: issuedAt,
    request_url: flow.requestUrl,
    ...(flow.returnTo === undefined ? {} : { return_to: flow.returnTo }),
    ui: {
      action: flowAction(flow, baseUrl),
      method: 'POST',
      nodes: [
        input('default', { name: 'csrf_token', type: 'hidden', value: token, required: true }),
        input('default', { name: 'identifier', type: 'text', value: flow.identifier, required: true }, 'ID'),
        input('password', { name: 'password', type: 'password', required: true }, 'Password'),
        input('password', { name: 'method', type: 'submit', value: 'password' }, 'Sign in with password'),
      ],
      ...(flow.problem === undefined ? {} : { messages: [{ ...flow.problem, type: 'error' }] }),
    },
    created_at: issuedAt,
    updated_at: issuedAt,
    refresh: false,
    requested_aal: 'aal1',
    state: 'choose_method',
  };
}

export function flowAction(flow: Flow, baseUrl: string): string {
  return `${baseUrl}/self-service/login?flow=${flow.id}`;
}

function input(group: string, attributes: Record<string, unknown>, label?: string): Record<string, unknown> {
  return {
    type: 'input',
    group,
    attributes: { ...attributes, disabled: false, node_type: 'input' },
    messages: [],
    meta: label === undefined ? {} : { label: { text: label, type: 'info' } },
  };
}
