// A part that is this same program in a process of its own, told what to do over Node's channel. Starts a process.
import { type ChildProcess, spawn } from 'node:child_process';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Exit, stopProcess } from '../../edge/process.ts';
import type { Running } from '../part/running.ts';
import { UserError } from '../user-error.ts';
import type { Answer, Facts, Order, Settings } from './messages.ts';

export interface NodePart<S extends Settings> extends Running {
  readonly facts: Facts;
  /** What it was told last. */
  settings(): S;
  /** @throws {PartGoneError} where it ended before it answered. {UserError} where it cannot. */
  configure(settings: S): Promise<void>;
}

/** The part ended: whoever starts it again gives it its settings. */
export class PartGoneError extends Error {
  override readonly name = 'PartGoneError';
}

const MAIN = fileURLToPath(new URL(`../main${extname(import.meta.url)}`, import.meta.url));
const STOP_MS = 3_000;

/** @throws {UserError} where the part says why it cannot start. {PartGoneError} where it ends before it has started. */
export async function startNodePart<S extends Settings>(
  settings: S,
  { signal, onLine }: { signal: AbortSignal; onLine: (line: string) => void },
): Promise<NodePart<S>> {
  // A process group of its own: Ctrl-C in a terminal is `up`'s to answer. When `up` dies, the channel closes.
  const child = spawn(process.execPath, [MAIN, 'part', settings.part], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', onLine);
  }
  const exited = new Promise<Exit>((resolve) => {
    child.once('error', () => {
      if (child.pid === undefined) resolve({ code: null, signal: null });
    });
    child.once('close', (code, by) => resolve({ code, signal: by }));
  });
  const stop = () => stopProcess(child, exited, STOP_MS);
  const channel = new Channel<S>(child, exited);
  const abort = () => void stop();
  signal.addEventListener('abort', abort);
  try {
    if (signal.aborted) throw new PartGoneError('it was stopped');
    const facts = await channel.send(settings);
    let last = settings;
    return {
      pid: child.pid ?? 0,
      exited,
      stop,
      facts,
      settings: () => last,
      async configure(next) {
        await channel.send(next);
        last = next;
      },
    };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Orders out, answers in. */
class Channel<S extends Settings> {
  readonly #child: ChildProcess;
  readonly #exited: Promise<Exit>;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #last = 0;

  constructor(child: ChildProcess, exited: Promise<Exit>) {
    this.#child = child;
    this.#exited = exited;
    child.on('message', (answer: Answer) => {
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
  }

  async send(settings: S): Promise<Facts> {
    const id = ++this.#last;
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    // A channel that is closed belongs to a process that is ending.
    if (this.#child.connected) this.#child.send({ id, settings } satisfies Order<S>, () => {});
    const answer = await Promise.race([answered, this.#exited]);
    if (!('id' in answer))
      throw new PartGoneError(`it ended ${answer.signal ? `by ${answer.signal}` : `with code ${answer.code}`}`);
    if (!answer.ok) throw new UserError(answer.problem);
    return answer.facts;
  }
}
