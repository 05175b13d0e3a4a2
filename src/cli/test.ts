// `test`: expected verdicts for a table of requests, against the engine or a running edge. Reads the files, writes to
// standard output; with --edge it sends the requests.
import { styleText } from 'node:util';
import { ConfigError } from '../config/fault.ts';
import { loadConfig } from '../config/load.ts';
import { createEdgeJudge } from './cases/edge.ts';
import { createEngine } from './cases/engine.ts';
import { loadCases } from './cases/load.ts';
import { type CaseResult, type Paint, type Run, resultOf, runJson, runText } from './cases/report.ts';
import { ReportedError } from './user-error.ts';

export interface TestOptions {
  readonly config: string;
  /** Default: the engine is asked. */
  readonly edge?: string;
  readonly json?: true;
}

/** @throws {ConfigError} {UserError}, and {ReportedError} where a case is not as expected. */
export async function test(file: string, options: TestOptions): Promise<void> {
  const { config, cases } = load(file, options);
  const now = Date.now();
  const judge =
    options.edge === undefined ? await createEngine(config, now) : await createEdgeJudge(config, options.edge, now);
  const results: CaseResult[] = [];
  try {
    // One after the other: a running edge is asked as a client would, and the order of the file is the order of the answer.
    for (const one of cases) results.push(resultOf(one, await judge.judge(one)));
  } finally {
    await judge.close();
  }
  const run: Run = { file, config, edge: options.edge, results };
  process.stdout.write(options.json ? `${JSON.stringify(runJson(run))}\n` : runText(run, paint));
  if (results.some(({ ok }) => !ok)) throw new ReportedError(1);
}

function load(file: string, options: TestOptions) {
  try {
    const config = loadConfig(options.config);
    return { config, cases: loadCases(file, config) };
  } catch (error) {
    if (options.json && error instanceof ConfigError)
      process.stdout.write(`${JSON.stringify({ ok: false, faults: error.faults })}\n`);
    throw error;
  }
}

const STYLES = { ok: 'green', failed: 'red', dim: 'dim' } as const;

/** Plain where standard output is no terminal, or where NO_COLOR is set. */
const paint: Paint = (style, text) => styleText(STYLES[style], text, { stream: process.stdout });
