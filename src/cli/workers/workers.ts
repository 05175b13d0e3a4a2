// `serve` with several workers: each judges by itself, and asks here what only Ory knows. Starts processes, asks Ory.
import type { Clock } from '../../check/clock.ts';
import type { Revocation } from '../../check/identity/cache/revocations.ts';
import type { Log } from '../../check/log.ts';
import type { Config } from '../../config/config.ts';
import type { Authorizer } from '../../server/authorizer.ts';
import { type EdgeCaches, NO_EDGE_CACHES } from '../../server/edge-caches.ts';
import { createVerification, edgeMemoryMs } from '../../server/policies.ts';
import { Pushes } from '../../server/pushes.ts';
import { Part } from '../part/part.ts';
import { answerQuestion } from './answer.ts';
import type { Addresses, Answer, Question } from './messages.ts';
import { WorkerProcess } from './worker-process.ts';

export interface WorkersOptions {
  readonly count: number;
  /** The configuration file, for messages, and its text. */
  readonly file: string;
  readonly text: string;
  readonly log: Log;
  readonly clock?: Clock;
  /** Default: this authorizer feeds no Envoy. */
  readonly edgeCaches?: EdgeCaches;
}

export interface Workers extends Pick<Authorizer, 'http' | 'grpc' | 'notServing' | 'revoke' | 'keysOf' | 'close'> {
  /** Whether all of them listen. */
  ready(): boolean;
}

/** @throws {ListenError} */
export async function startWorkers(config: Config, options: WorkersOptions): Promise<Workers> {
  const { log, clock = Date.now, edgeCaches = NO_EDGE_CACHES } = options;
  const verification = createVerification(config, { log, clock });
  const { cache, verifiers } = verification.parts;
  const answer = async (question: Question): Promise<Answer> =>
    answerQuestion(question, { cache, verifiers, clock }).catch((error: unknown) => {
      log.error(
        { err: { name: error instanceof Error ? error.name : typeof error } },
        'a question could not be answered',
      );
      return { kind: 'failure' };
    });
  // What a worker has seen, Envoy is to have as well.
  const pool = new Pool(config, options, answer, () => void verification.keys?.refresh());
  const addresses = await pool.start().catch(async (error: unknown) => {
    await pool.stop();
    await verification.close();
    throw error;
  });
  // And the other way round: a key that Envoy has no more must not live on in a worker. The first time tells what is there.
  let told = 0;
  const unwatch = edgeCaches.fed > 0 ? verification.keys?.watch(() => told++ > 0 && pool.fetchKeys()) : undefined;
  const pushes = new Pushes(edgeCaches);
  return {
    ...addresses,
    ready: () => pool.ready,
    notServing: () => pool.notServing(),
    keysOf: () => verification.keys,
    async revoke(revocation) {
      // Here first: a worker that has forgotten asks here at once. Then all of them: an emptied edge cache asks them.
      cache.forget(revocation);
      await pool.forget(revocation);
      return await pushes.revoked(edgeMemoryMs(config));
    },
    async close() {
      unwatch?.();
      await pool.stop();
      await verification.close();
    },
  };
}

/** The processes, each kept running. */
class Pool {
  readonly #options: WorkersOptions;
  readonly #answer: (question: Question) => Promise<Answer>;
  readonly #onKeys: () => void;
  readonly #parts: readonly Part<WorkerProcess>[];
  /** Those that may remember something. */
  readonly #up = new Set<WorkerProcess>();
  /** Every process that there is. */
  #count = 0;
  /** What the workers are told, and share their listeners by. */
  #addresses: Addresses;
  /** Where they ended up: port 0 has become a real one. */
  #bound: Addresses | undefined;

  constructor(
    { serve }: Config,
    options: WorkersOptions,
    answer: (question: Question) => Promise<Answer>,
    onKeys: () => void,
  ) {
    this.#onKeys = onKeys;
    this.#options = options;
    this.#answer = answer;
    this.#addresses = { http: serve.http, grpc: serve.grpc };
    this.#parts = Array.from({ length: options.count }, (_, i) => this.#part(i + 1));
  }

  /** @throws {ListenError} */
  async start(): Promise<Addresses> {
    await Promise.all(this.#parts.map((part) => part.start()));
    if (!this.#bound) throw new Error('no worker listens');
    return this.#bound;
  }

  get ready(): boolean {
    return this.#parts.every((part) => part.running !== undefined);
  }

  fetchKeys(): void {
    for (const worker of this.#up) worker.fetchKeys();
  }

  notServing(): void {
    for (const worker of this.#up) worker.notServing();
  }

  async forget(revocation: Revocation): Promise<void> {
    await Promise.all([...this.#up].map((worker) => worker.forget(revocation)));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#parts.map((part) => part.stop()));
  }

  #part(worker: number): Part<WorkerProcess> {
    const { log } = this.#options;
    return new Part({
      start: (signal) => this.#startWorker(worker, signal),
      events: {
        started: (pid, again) => {
          if (again) log.info({ worker, pid }, 'a worker was started again');
        },
        ended: ({ code, signal }, nextAttemptMs) =>
          log.error({ worker, code, signal, nextAttemptMs }, 'a worker ended: checks in it are refused'),
        failed: (cause, nextAttemptMs) => log.error({ worker, cause, nextAttemptMs }, 'a worker could not be started'),
      },
    });
  }

  async #startWorker(worker: number, signal: AbortSignal): Promise<WorkerProcess> {
    const { file, text, edgeCaches = NO_EDGE_CACHES } = this.#options;
    // With the last worker a port went that the system had chosen; Envoy knows that one.
    if (this.#count === 0 && this.#bound) this.#addresses = this.#bound;
    this.#count++;
    const started = new WorkerProcess({
      start: { worker, file, text, addresses: this.#addresses, fed: edgeCaches.fed > 0 },
      answer: this.#answer,
      onUp: (one) => this.#up.add(one),
      onKeys: this.#onKeys,
    });
    void started.exited.then(() => {
      this.#count--;
      this.#up.delete(started);
    });
    const abort = () => started.kill();
    signal.addEventListener('abort', abort);
    try {
      this.#bound = await started.listening;
      return started;
    } catch (error) {
      started.kill();
      await started.exited;
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }
}
