// A file whose content is wanted whenever it has changed, however an editor writes it. Reads and watches the file.
import { type FSWatcher, unwatchFile, watch, watchFile } from 'node:fs';
import { basename, dirname } from 'node:path';
import { ConfigError } from '../../config/fault.ts';
import { readConfigFile } from '../../config/load.ts';

export interface WatchOptions {
  /** What is known already: it is not reported. */
  readonly known: string;
  readonly onChange: (text: string) => void;
  /** The file has been away, or cannot be read, for a while; `why` is a word or two. Once, until it is back. */
  readonly onGone: (why: string) => void;
  /** How long nothing must happen before the file is read: some editors write several times. */
  readonly quietMs?: number;
  /** How long it may be away: some editors delete it and make a new one. */
  readonly goneMs?: number;
  /** @throws {ConfigError} where it cannot be read. */
  readonly read?: (file: string) => Promise<string>;
}

/**
 * The folder is watched, for a file that is renamed into it; and the file is looked at now and then, for everything that
 * folders do not tell: a link's target, a network disk.
 */
const LOOK_MS = 1_000;

/** @returns how to end it. */
export function watchText(file: string, options: WatchOptions): () => void {
  const { quietMs = 100, goneMs = 1_000, read = readConfigFile } = options;
  let { known } = options;
  let timer: NodeJS.Timeout | undefined;
  let goneSince: number | undefined;
  let toldGone = false;
  let ended = false;
  // One after the other: an earlier read that takes longer must not have the last word.
  let looks: Promise<void> = Promise.resolve();

  const schedule = (afterMs: number) => {
    clearTimeout(timer);
    if (!ended)
      timer = setTimeout(() => {
        looks = looks.then(look);
      }, afterMs);
  };
  const look = async () => {
    try {
      const text = await read(file);
      if (ended) return;
      goneSince = undefined;
      // A file that comes back as it was has been missed: that it is back is worth a word.
      if (text === known && !toldGone) return;
      toldGone = false;
      known = text;
      options.onChange(text);
    } catch (error) {
      if (ended) return;
      const now = performance.now();
      goneSince ??= now;
      if (now - goneSince < goneMs) return schedule(Math.min(quietMs, goneMs));
      if (!toldGone) options.onGone(whyOf(error));
      toldGone = true;
    }
  };
  const watcher = watchFolder(dirname(file), (name) => {
    if (name === null || name === basename(file)) schedule(quietMs);
  });
  watchFile(file, { interval: LOOK_MS }, () => schedule(quietMs));
  // What changed between the reading and the watching.
  schedule(quietMs);
  return () => {
    ended = true;
    clearTimeout(timer);
    watcher?.close();
    unwatchFile(file);
  };
}

/** @throws what is no fault of the file. */
function whyOf(error: unknown): string {
  if (!(error instanceof ConfigError)) throw error;
  return error.faults.map(({ problem }) => problem).join(', ');
}

/** Undefined where the system has no watches left: looking now and then remains. */
function watchFolder(folder: string, onEvent: (name: string | null) => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, (_, name) => onEvent(name));
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
