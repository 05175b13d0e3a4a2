// Envoy's filters by file: for every policy the authorizer's own keys, and the edge cache's script. Writes a private folder,
// asks Envoy's admin port.
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeyChanges } from '../check/identity/jwks.ts';
import type { Log } from '../check/log.ts';
import { type Address, formatAddress, reachableAddress } from '../config/config.ts';
import { filterFiles, formerFile } from '../generate/envoy/filter-files.ts';
import type { Plan } from '../generate/plan.ts';
import { type EdgeCaches, PushError } from '../server/edge-caches.ts';
import { FedFile } from './fed-file.ts';
import { UNFINISHED } from './watched-file.ts';

export interface FilterFeedOptions {
  /** Made where it is not there. */
  readonly folder: string;
  /** `edge.admin`. */
  readonly admin: Address;
  readonly log: Log;
}

/** A policy whose routes Envoy may have. */
export interface FedPolicy {
  readonly plan: Plan;
  /** Undefined where no rule takes tokens. */
  readonly keys: KeyChanges | undefined;
}

/** The folder is none that filters may come from; the message is a sentence with the way out. */
export class FilterFolderError extends Error {
  override readonly name = 'FilterFolderError';
}

/** How long a revocation may take. */
const EMPTY_MS = 2_000;
/** How often Envoy is asked whether it still has everything: another may have started, or could not read a file. */
const LOOK_MS = 10_000;

export class FilterFeed implements EdgeCaches {
  readonly fed = 1;
  readonly #options: FilterFeedOptions;
  readonly #files = new Map<string, { readonly file: FedFile; readonly unwatch: () => void }>();
  readonly #looks: NodeJS.Timeout;
  /** What was there before, until it is known which of it is meant. */
  readonly #found: string[];

  private constructor(options: FilterFeedOptions, found: string[]) {
    this.#options = options;
    this.#found = found;
    this.#looks = setInterval(() => void Promise.all(this.#all().map((file) => file.look())), LOOK_MS).unref();
  }

  /** @throws {FilterFolderError} */
  static async open(options: FilterFeedOptions): Promise<FilterFeed> {
    return new FilterFeed(options, await prepareFolder(options.folder));
  }

  /**
   * The files of these policies and no others; resolves when they are there, so that an Envoy may be told of them.
   * @throws {PushError} where one cannot be written
   */
  async replace(policies: readonly FedPolicy[]): Promise<void> {
    const before = new Map(this.#files);
    for (const { plan, keys } of policies) {
      for (const filter of filterFiles(plan)) {
        const known = this.#files.get(filter.name);
        if (known && !before.delete(filter.name)) continue;
        const file = known?.file ?? new FedFile(filter, { ...this.#options, adminUrl: adminUrl(this.#options.admin) });
        if (!known) await file.prepare();
        const unwatch = (filter.kind === 'keys' && keys?.watch((jwks) => file.setKeys(jwks))) || (() => {});
        known?.unwatch();
        this.#files.set(filter.name, { file, unwatch });
      }
    }
    for (const [name, { file, unwatch }] of before) {
      unwatch();
      this.#files.delete(name);
      await file.remove();
    }
    for (const name of this.#found.splice(0)) await this.#leave(name);
  }

  /** An Envoy of the configuration before would go by keys that nobody follows, and by what no revocation reaches. */
  async #leave(fileName: string): Promise<void> {
    const former = formerFile(fileName);
    if (!former || this.#files.has(former.name)) return;
    await new FedFile(former, { ...this.#options, adminUrl: undefined }).prepare();
    this.#options.log.warn(
      { resource: former.name },
      'this file is of another configuration: an Envoy that reads it asks about everything. Generate its configuration anew, then remove the file',
    );
  }

  async empty(): Promise<void> {
    const scripts = this.#all().filter((file) => file.kind === 'script');
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new PushError(`Envoy did not empty its cache within ${EMPTY_MS / 1_000} s`)),
      EMPTY_MS,
    );
    try {
      const taken = await Promise.race([Promise.all(scripts.map((file) => file.push())), late.promise]);
      if (taken.length > 0 && taken.every((one) => one === 'unread'))
        throw new PushError('Envoy has no filter that reads its script from here: its configuration is another one');
    } finally {
      clearTimeout(timer);
    }
  }

  /** The files stay: Envoy goes on with them. */
  close(): void {
    clearInterval(this.#looks);
    for (const { file, unwatch } of this.#files.values()) {
      unwatch();
      file.close();
    }
  }

  #all(): FedFile[] {
    return [...this.#files.values()].map(({ file }) => file);
  }
}

/** Envoy runs what stands there: nobody else may write it. @returns the files there. @throws {FilterFolderError} */
async function prepareFolder(folder: string): Promise<string[]> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = await stat(folder);
    const own = process.getuid?.();
    if ((own !== undefined && uid !== own) || (mode & 0o022) !== 0)
      throw new FilterFolderError(
        `--envoy-config: others may write into ${folder}, and Envoy would run what they write. Name a folder that does not exist yet, or empty it and take it for this user alone: chmod 700`,
      );
    // Of a process that ended in the middle of a write.
    const names = await readdir(folder);
    for (const name of names) if (UNFINISHED.test(name)) await rm(join(folder, name), { force: true });
    return names;
  } catch (error) {
    if (error instanceof FilterFolderError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new FilterFolderError(
      `--envoy-config: ${folder} cannot be used (${code}). Name a folder that this user may make.`,
    );
  }
}

/** Undefined where Envoy chooses the port. */
function adminUrl(admin: Address): string | undefined {
  return admin.port === 0 ? undefined : `http://${formatAddress(reachableAddress(admin))}`;
}
