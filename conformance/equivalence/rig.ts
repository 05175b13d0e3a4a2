// What a run is made with: Ory, an application, and for each batch of policies an Envoy with their listeners, an authorizer
// and an engine for each. Runs programs, opens ports.
import { createAnswerer } from '../../src/check/response/answer.ts';
import { findEnvoy } from '../../src/edge/find.ts';
import { Policies } from '../../src/server/policies.ts';
import { type Keys, makeKeys } from '../jwt/keys.ts';
import { type Compared, compare, type Sides } from './compare.ts';
import { Application, type EdgePolicy, type Edges, SILENT, startEdges } from './edge.ts';
import { type Ory, startOry } from './ory.ts';
import { type Policy, readPolicy } from './policy.ts';
import { makeRequest, type Request, type RequestIntent } from './request.ts';

/** A policy and what is asked of it. */
export interface Case {
  readonly policy: Policy;
  readonly requests: readonly RequestIntent[];
}

/** To each listener. */
const CONNECTIONS = 3;

export interface Batch {
  /** Asks everything, a few requests of each policy at a time, until `compared` says that it is enough. */
  ask(compared: OnCompared): Promise<void>;
  close(): Promise<void>;
}

/** What came of one request; true where nothing more of this policy is wanted. */
export type OnCompared = (one: Prepared, intent: RequestIntent, request: Request, compared: Compared) => boolean;

export interface Prepared extends EdgePolicy {
  readonly intents: readonly RequestIntent[];
  /** Its place among the cases of the sample. */
  readonly index: number;
}

export class Rig {
  readonly #envoy: string;
  readonly #keys: Keys;
  readonly #ory: Ory;
  readonly #application: Application;

  private constructor(envoy: string, keys: Keys, ory: Ory, application: Application) {
    this.#envoy = envoy;
    this.#keys = keys;
    this.#ory = ory;
    this.#application = application;
  }

  static async start(): Promise<Rig> {
    const { path } = await findEnvoy();
    const keys = makeKeys();
    return new Rig(path, keys, await startOry(keys), await Application.start());
  }

  async close(): Promise<void> {
    await Promise.all([this.#ory.close(), this.#application.close()]);
  }

  /** `byFile`: see {@link startEdges}. */
  async prepare(all: readonly Case[], byFile = false): Promise<Batch> {
    const prepared = all.flatMap(({ policy, requests: intents }, index): Prepared[] => {
      const read = readPolicy(policy, this.#ory.url, this.#application.url);
      return read ? [{ ...read, intents, index }] : [];
    });
    if (prepared.length === 0) return { ask: async () => {}, close: async () => {} };
    const edges = await startEdges(this.#envoy, prepared, CONNECTIONS, byFile);
    const engines = prepared.map(({ config }) => new Policies(config, { log: SILENT, clock: Date.now }));
    return {
      ask: async (compared) => {
        await Promise.all(prepared.map((one, i) => this.#askAll(one, edges, i, engines[i] as Policies, compared)));
        this.#ory.answers.forget();
      },
      close: async () => {
        await Promise.all([edges.close(), ...engines.map((one) => one.close())]);
      },
    };
  }

  async #askAll(one: Prepared, edges: Edges, i: number, engine: Policies, onCompared: OnCompared): Promise<void> {
    const { config, policy, intents } = one;
    const answerOf = createAnswerer(config, SILENT, Date.now);
    const { check } = engine.find(undefined);
    const sides: Sides = {
      edge: edges.policies[i] as Edges['probe'],
      probe: edges.probe,
      application: this.#application,
      ask: async (request) => answerOf(await check(request), request),
      identityHeaders: config.identityHeaders.map(({ name }) => name.toLowerCase()),
      transport: policy.transport,
    };
    let enough = false;
    const waiting = intents.values();
    const worker = async () => {
      for (const intent of waiting) {
        if (enough) return;
        const around = { config, keys: this.#keys, answers: this.#ory.answers, nowMs: Date.now() };
        const request = makeRequest(intent, around);
        enough = onCompared(one, intent, request, await compare(request, sides)) || enough;
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  }
}
