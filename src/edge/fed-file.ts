// One filter of Envoy's that is read from a file: written, seen to be taken by every worker, tried again where it was not.
// Writes the file, asks Envoy's admin port.
import { lstat, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { NO_KEYS } from '../check/identity/jwks.ts';
import type { Log } from '../check/log.ts';
import { type FilterFile, filterPath, keysIn } from '../generate/envoy/filter-files.ts';
import { PushError } from '../server/edge-caches.ts';
import { readStats } from './admin-stats.ts';
import { replaceFile } from './watched-file.ts';

export interface FedFileOptions {
  readonly folder: string;
  /** Envoy's admin port; undefined where nobody can know it. */
  readonly adminUrl: string | undefined;
  readonly log: Log;
}

/** `unread`: Envoy has no filter that reads this file. */
export type Taken = 'taken' | 'unread';

/** How long Envoy and all of its workers may take. */
const TAKEN_MS = 2_000;
const POLL_MS = 2;
const FIRST_RETRY_MS = 200;
const LONGEST_RETRY_MS = 30_000;

export class FedFile {
  readonly #file: FilterFile;
  readonly #options: FedFileOptions;
  readonly #path: string;
  /** Of what was written last. */
  #version = '';
  #jwks = NO_KEYS;
  /** Joined by everyone who comes before it begins. */
  #next: PromiseWithResolvers<Taken> | undefined;
  #busy = false;
  #retryMs = FIRST_RETRY_MS;
  #retry: NodeJS.Timeout | undefined;
  #trouble = '';
  /** Where nothing is under way: asking anew before each write would make it later. */
  #known: EnvoyState | undefined;
  /** Whether there should be an Envoy: one has answered, or somebody waits for it. Before, there is nothing to say. */
  #awaited = false;
  #closed = false;

  constructor(file: FilterFile, options: FedFileOptions) {
    this.#file = file;
    this.#options = options;
    this.#path = filterPath(options.folder, file.name);
  }

  get kind(): FilterFile['kind'] {
    return this.#file.kind;
  }

  /**
   * The file is there: as it was, if it was written for these settings, because Envoy may be going by it and remember by
   * it; else with what asks the authorizer. @throws where it cannot be written
   */
  async prepare(): Promise<void> {
    const text = (await isOwn(this.#path)) ? await readFile(this.#path, 'utf8').catch(() => '') : '';
    const version = /"version_info":"([\w-]+)"/.exec(text)?.[1];
    const jwks = keysIn(text);
    if (version === undefined || this.#file.content(version, jwks) !== text) return this.#write(this.#file.content);
    this.#version = version;
    this.#jwks = jwks;
  }

  /** From now on with these keys; what becomes of it is logged. */
  setKeys(jwks: string): void {
    if (jwks === this.#jwks) return;
    this.#jwks = jwks;
    this.#soon().catch(() => {});
  }

  /**
   * Gives Envoy this file under a version of its own: what the filter remembered before the call is gone when this
   * resolves. Calls at one time are one. @throws {PushError}
   */
  push(): Promise<Taken> {
    this.#awaited = true;
    return this.#soon();
  }

  #soon(): Promise<Taken> {
    this.#next ??= Promise.withResolvers();
    const { promise } = this.#next;
    if (!this.#busy) void this.#work();
    return promise;
  }

  /** Whether Envoy has what was written last; where it has not, it is given it. */
  async look(): Promise<void> {
    if (this.#busy || this.#retry) return;
    const there = await stat(this.#path).catch(() => undefined);
    try {
      const envoy = await this.#ask();
      if (this.#busy || this.#closed) return;
      if (there && (envoy.attempts === 0 || envoy.version === this.#version)) {
        // Before every worker is up to date, the next push would be believed one worker too early.
        if (envoy.behind <= 0) this.#known = envoy;
        return this.#well();
      }
    } catch (error) {
      if (there) return this.#unwell(error);
    }
    await this.push().catch(() => {});
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
  }

  /** No route of Envoy's names this filter any more. */
  async remove(): Promise<void> {
    this.close();
    await rm(this.#path, { force: true });
  }

  async #work(): Promise<void> {
    this.#busy = true;
    while (this.#next) {
      const push = this.#next;
      this.#next = undefined;
      clearTimeout(this.#retry);
      this.#retry = undefined;
      try {
        const { taken, refused } = await this.#give();
        if (refused) this.#unwell(refused);
        else this.#well();
        push.resolve(taken);
      } catch (error) {
        if (this.#awaited || !(error instanceof UnreachableError)) this.#unwell(error);
        push.reject(error);
      }
    }
    this.#busy = false;
  }

  async #give(): Promise<{ readonly taken: Taken; readonly refused?: unknown }> {
    try {
      return { taken: await this.#giveOnce(this.#file.content) };
    } catch (refused) {
      if (!(refused instanceof RefusedError)) throw refused;
      // Envoy goes on with what it had: with keys that may have been removed, and with what was to be forgotten.
      return { taken: await this.#giveOnce(this.#file.asking), refused };
    }
  }

  async #giveOnce(content: FilterFile['content']): Promise<Taken> {
    // The file is what the next Envoy begins with: it is written whether this one can be asked or not.
    const before = this.#known ?? (await this.#ask().catch((error: unknown) => error));
    await this.#write(content);
    if (!isState(before)) throw before;
    this.#known = undefined;
    return await this.#taken(before);
  }

  async #write(content: FilterFile['content']): Promise<void> {
    try {
      const { mode } = await stat(dirname(this.#path));
      // Readable to whom the folder is: an Envoy of another user, where the folder was made so.
      this.#version = await replaceFile(this.#path, (version) => content(version, this.#jwks), 0o600 | (mode & 0o044));
    } catch (cause) {
      throw new PushError(`${this.#path} cannot be written (${(cause as NodeJS.ErrnoException).code})`, { cause });
    }
  }

  async #taken(before: EnvoyState): Promise<Taken> {
    const end = performance.now() + TAKEN_MS;
    for (;;) {
      const now = await this.#ask();
      if (now.attempts === 0) return 'unread';
      const has = now.version === this.#version;
      if (has && now.behind <= before.behind) {
        this.#known = now;
        return 'taken';
      }
      const { name } = this.#file;
      if (!has && now.refusals > before.refusals) throw new RefusedError(`Envoy refused the new content of ${name}`);
      if (performance.now() > end || this.#closed)
        throw new PushError(
          has
            ? `not every worker of Envoy has taken the new content of ${name} within ${TAKEN_MS / 1_000} s`
            : `Envoy did not take the new content of ${name} within ${TAKEN_MS / 1_000} s`,
        );
      await delay(POLL_MS);
    }
  }

  async #ask(): Promise<EnvoyState> {
    const { adminUrl } = this.#options;
    if (adminUrl === undefined) throw new PushError('edge.admin has no fixed port: Envoy cannot be asked what it has');
    const prefix = `extension_config_discovery.http_filter.${this.#file.name}`;
    const stats = await readStats(adminUrl, `^${prefix.replaceAll('.', '\\.')}\\.`, TAKEN_MS).catch(
      (cause: unknown) => {
        throw new UnreachableError(`Envoy does not answer at ${adminUrl} (edge.admin)`, { cause });
      },
    );
    this.#awaited = true;
    const count = (name: string) => stats.number(`${prefix}.${name}`);
    return {
      attempts: count('update_attempt'),
      version: stats.text(`${prefix}.version_text`),
      refusals: stats.refusals(prefix),
      behind: count('update_success') + count('update_rejected') - count('config_reload'),
    };
  }

  #well(): void {
    if (this.#trouble !== '') this.#options.log.info({ resource: this.#file.name }, 'Envoy has what it was given');
    this.#trouble = '';
    this.#retryMs = FIRST_RETRY_MS;
  }

  #unwell(error: unknown): void {
    const message = error instanceof PushError ? error.message : String(error);
    const fields = { resource: this.#file.name, nextMs: this.#retryMs };
    // Said once for as long as it lasts.
    if (message !== this.#trouble) this.#options.log.warn(fields, `${message}: it is tried again`);
    this.#trouble = message;
    if (this.#closed) return;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      void this.#again(error);
    }, this.#retryMs).unref();
    this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS);
  }

  /** An Envoy that was away begins with the file as it is. */
  async #again(error: unknown): Promise<void> {
    if (error instanceof UnreachableError) await this.look();
    else await this.push().catch(() => {});
  }
}

/** A file of this user's alone, and no way to another: Envoy runs what stands there. */
async function isOwn(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  if (!found?.isFile() || found.nlink !== 1 || (found.mode & 0o022) !== 0) return false;
  return found.uid === (process.getuid?.() ?? found.uid);
}

/** What Envoy says of one resource (1.40). */
interface EnvoyState {
  /** 0: no filter reads it. */
  readonly attempts: number;
  /** Of the content that the main thread has taken. */
  readonly version: string;
  readonly refusals: number;
  /** `config_reload` is counted when every worker has it, and also for a refusal: until then this is one more. */
  readonly behind: number;
}

function isState(state: unknown): state is EnvoyState {
  return typeof state === 'object' && state !== null && 'attempts' in state;
}

class RefusedError extends PushError {}
class UnreachableError extends PushError {}
