// Waiting for Ctrl-C or an orchestrator's stop.

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
let next: Promise<NodeJS.Signals> | undefined;

/**
 * Resolves with the first SIGINT, SIGTERM or SIGHUP since it was first called; a second one then ends the process at once,
 * as users expect.
 */
export function nextSignal(): Promise<NodeJS.Signals> {
  next ??= new Promise((resolve) => {
    const handle = (signal: NodeJS.Signals) => {
      for (const one of SIGNALS) process.off(one, handle);
      resolve(signal);
    };
    for (const one of SIGNALS) process.on(one, handle);
  });
  return next;
}
