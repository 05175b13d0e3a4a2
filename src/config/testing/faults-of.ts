// A configuration file's text and its faults, for the suites beside. No I/O.
import { ConfigError } from '../fault.ts';
import { parseConfig } from '../load.ts';

/** Four lines: what a test appends begins at line 5. */
export const SMALLEST = `ory:
  url: https://acme.example
edge:
  upstream: http://127.0.0.1:3000
`;

/** The faults of a file, one line each; empty where it is right. */
export function faultsOf(text: string, env: Readonly<Record<string, string>> = {}): string[] {
  try {
    parseConfig(text, 'f.yaml', { env });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n');
  }
}

/** {@link SMALLEST} with rules, each written in flow style. */
export function withRules(...rules: string[]): string {
  return `${SMALLEST}rules:\n${rules.map((rule) => `  - ${rule}\n`).join('')}`;
}
