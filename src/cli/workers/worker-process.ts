// A worker as its parent has it: a process that shares the listeners, and what is said to it. Starts a process.
import cluster, { type Worker } from 'node:cluster';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Revocation } from '../../check/identity/cache/revocations.ts';
import type { Exit } from '../../edge/process.ts';
import { ListenError } from '../../server/listen.ts';
import type { Running } from '../part/running.ts';
import type { Addresses, Answer, FromWorker, Question, ToWorker } from './messages.ts';

export interface WorkerOptions {
  readonly start: Omit<Extract<ToWorker, { kind: 'start' }>, 'kind'>;
  readonly answer: (question: Question) => Promise<Answer>;
  /** From when on it may remember something. */
  readonly onUp: (worker: WorkerProcess) => void;
  readonly onKeys: () => void;
}

const MAIN = fileURLToPath(new URL(`../main${extname(import.meta.url)}`, import.meta.url));
/** Longer than a listener takes to end what does not finish. */
const CLOSE_MS = 12_000;
/** A worker that has not answered by then is not going to: it must not go by what it remembers. */
const FORGET_MS = 500;

export class WorkerProcess implements Running {
  readonly exited: Promise<Exit>;
  /** @throws {ListenError} where it cannot listen. {Error} where it ends before it does. */
  readonly listening: Promise<Addresses>;
  readonly #worker: Worker;
  readonly #forgotten = new Map<number, () => void>();
  #last = 0;

  constructor({ start, answer, onUp, onKeys }: WorkerOptions) {
    // Sockets are handed out in turn: few long connections, as gRPC has them, would else meet in one worker.
    cluster.schedulingPolicy = cluster.SCHED_RR;
    cluster.setupPrimary({ exec: MAIN, args: ['worker'], serialization: 'advanced' });
    this.#worker = cluster.fork();
    this.exited = new Promise((resolve) => {
      this.#worker.once('exit', (code, signal) => resolve({ code, signal: (signal || null) as NodeJS.Signals | null }));
      this.#worker.once('error', () => {
        if (this.pid === 0) resolve({ code: null, signal: null });
      });
    });
    const { promise, resolve, reject } = Promise.withResolvers<Addresses>();
    this.listening = promise;
    void this.exited.then(() => reject(new Error('it ended before it listened')));
    this.#worker.on('message', (message: FromWorker) => {
      switch (message.kind) {
        case 'up':
          onUp(this);
          this.#tell({ kind: 'start', ...start });
          break;
        case 'listening':
          resolve(message.addresses);
          break;
        case 'failed':
          reject(listenErrorOf(message));
          break;
        case 'question': {
          const { id, credential, again } = message;
          void answer({ credential, again }).then((one) => this.#tell({ kind: 'answer', id, answer: one }));
          break;
        }
        case 'forgotten':
          this.#forgotten.get(message.id)?.();
          break;
        case 'keys':
          onKeys();
          break;
      }
    });
  }

  get pid(): number {
    return this.#worker.process.pid ?? 0;
  }

  /** Resolves when no check in it goes by what was known before. A worker that does not say so in time is ended. */
  async forget(revocation: Revocation): Promise<void> {
    const id = ++this.#last;
    const forgotten = new Promise<void>((resolve) => this.#forgotten.set(id, resolve));
    const limit = setTimeout(() => this.kill(), FORGET_MS);
    this.#tell({ kind: 'forget', id, revocation });
    await Promise.race([forgotten, this.exited]);
    clearTimeout(limit);
    this.#forgotten.delete(id);
  }

  fetchKeys(): void {
    this.#tell({ kind: 'keys' });
  }

  notServing(): void {
    this.#tell({ kind: 'not-serving' });
  }

  /** Finishes the checks under way. */
  async stop(): Promise<void> {
    this.#tell({ kind: 'close' });
    const limit = setTimeout(() => this.kill(), CLOSE_MS);
    await this.exited;
    clearTimeout(limit);
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL');
  }

  #tell(message: ToWorker): void {
    // A channel that is closed belongs to a process that is ending.
    if (this.#worker.isConnected()) this.#worker.send(message, () => {});
  }
}

function listenErrorOf({ key, address, code }: Extract<FromWorker, { kind: 'failed' }>): ListenError {
  return new ListenError(Object.assign(new Error(code), { code }), key, address);
}
