// Waiting for Ctrl-C or an orchestrator's stop.

/** Resolves with the first SIGINT, SIGTERM or SIGHUP; a second one then ends the process at once, as users expect. */
export function nextSignal(): Promise<NodeJS.Signals> {
  const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  return new Promise((resolve) => {
    const handle = (signal: NodeJS.Signals) => {
      for (const one of signals) process.off(one, handle);
      resolve(signal);
    };
    for (const one of signals) process.on(one, handle);
  });
}
