// From the log of an Envoy that did not start to one sentence with the way out. No I/O.

const IN_USE = /cannot bind '([^']+)': (.+)$/;
const LEVEL = /\[(?:critical|error)\]\[[^\]]*\] (?:\[[^\]]*\] )?(.*)$/;

/** `outcome` says what became of the process; it stands where the log explains nothing. */
export function explainExit(log: readonly string[], outcome: string): string {
  for (const line of log) {
    const bind = IN_USE.exec(line);
    if (bind) {
      const [, address, reason] = bind;
      return reason?.startsWith('Address already in use')
        ? `Envoy cannot listen on ${address}: the address is in use; end what listens there or choose another`
        : `Envoy cannot listen on ${address}: ${reason}`;
    }
  }
  const complaint = log.map((line) => LEVEL.exec(line)?.[1]).find((text) => text !== undefined && text !== '');
  return complaint === undefined ? `Envoy did not start: ${outcome}` : `Envoy did not start: ${complaint}`;
}
