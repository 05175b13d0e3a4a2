// `generate`: configuration for a target, to standard output or into a folder.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../config/load.ts';
import { generateEnvoy, type Part } from '../generate/envoy/emit.ts';
import { API_KEY_VARIABLE } from '../generate/envoy/ory-path.ts';
import type { Transport } from '../generate/envoy/transport.ts';
import { makePlan, makePlanWithoutAuthorizer } from '../generate/plan.ts';
import { planJson, planText } from './plan-text.ts';
import { UserError } from './user-error.ts';

export interface GenerateOptions {
  readonly config: string;
  readonly output?: string;
  readonly part: Part;
  readonly transport: Transport;
  readonly authorizer: boolean;
  readonly plan?: true;
  readonly json?: true;
  readonly caFile?: string;
  readonly envoyConfig?: string;
}

/** @throws {ConfigError} {GenerateError} {UserError} */
export function generate(target: string, options: GenerateOptions): void {
  if (target !== 'envoy') throw new UserError(unknownTarget(target), 2);
  if (options.envoyConfig !== undefined && !options.authorizer)
    throw new UserError(
      '--envoy-config goes with an authorizer, which writes the files there: leave one of --envoy-config and --no-authorizer out',
      2,
    );
  const config = loadConfig(options.config);
  if (options.plan) {
    const plan = options.authorizer ? makePlan(config) : makePlanWithoutAuthorizer(config);
    process.stdout.write(options.json ? `${JSON.stringify(planJson(plan))}\n` : planText(plan));
    return;
  }
  if (options.json) throw new UserError('--json goes with --plan: what is generated is YAML', 2);
  const text = generateEnvoy(config, {
    part: options.part,
    transport: options.transport,
    authorizer: options.authorizer,
    ...(options.caFile === undefined ? {} : { caFile: options.caFile }),
    ...(options.envoyConfig === undefined ? {} : { envoyConfig: options.envoyConfig }),
  });
  const names = config.edge.ory?.apiKey !== undefined && text.includes(API_KEY_VARIABLE);
  if (names)
    process.stderr.write(
      `set ${API_KEY_VARIABLE} (ory.api_key) where Envoy runs: what is generated names it and does not hold it\n`,
    );
  if (options.output === undefined) {
    process.stdout.write(text);
    return;
  }
  const file = join(options.output, `${options.part}.yaml`);
  mkdirSync(options.output, { recursive: true });
  writeFileSync(file, text);
  process.stderr.write(`wrote ${file}\n`);
}

function unknownTarget(target: string): string {
  const later = ['istio', 'envoy-gateway', 'ai-gateway', 'oathkeeper'];
  if (later.includes(target)) return `the target ${target} is not supported yet. Choose envoy.`;
  return `there is no target ${target}. Choose envoy.`;
}
