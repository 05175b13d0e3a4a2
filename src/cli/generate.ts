// `generate`: configuration for a target, to standard output or into a folder.
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Config } from '../config/config.ts';
import { parseConfig, readConfigFile } from '../config/load.ts';
import { generateEnvoy, type Part } from '../generate/envoy/emit.ts';
import { API_KEY_VARIABLE } from '../generate/envoy/ory-path.ts';
import type { Transport } from '../generate/envoy/transport.ts';
import { generateEnvoyGateway } from '../generate/envoy-gateway/emit.ts';
import { envoyGatewayPlan } from '../generate/envoy-gateway/plan.ts';
import { generateIstio } from '../generate/istio/emit.ts';
import { makeIstioPlan } from '../generate/istio/plan.ts';
import { type Generated, oneStream } from '../generate/kubernetes/manifest.ts';
import type { PolicySource } from '../generate/kubernetes/options.ts';
import { generateOathkeeper } from '../generate/oathkeeper/emit.ts';
import { makeOathkeeperPlan } from '../generate/oathkeeper/plan.ts';
import { makePlan, makePlanWithoutAuthorizer, type Plan } from '../generate/plan.ts';
import { isTarget, TARGETS, type Target, targetVersion, type Version } from '../generate/target.ts';
import { withoutSecrets } from './generate-env.ts';
import { planJson, planText } from './plan-text.ts';
import { UserError } from './user-error.ts';
import { defaultImage } from './version.ts';

export interface GenerateOptions {
  readonly config: string;
  readonly output?: string;
  readonly part?: Part;
  readonly transport?: Transport;
  readonly authorizer: boolean;
  readonly plan?: true;
  readonly json?: true;
  readonly caFile?: string;
  readonly envoyConfig?: string;
  readonly targetVersion?: string;
  readonly edgeCache?: true;
  readonly namespace?: string;
  readonly image?: string;
  readonly mode?: 'gateway' | 'sidecar';
  readonly selector?: string;
}

/** Which targets an option is for, as it is written. All others are for all of them. */
const FOR: readonly {
  readonly key: keyof GenerateOptions;
  readonly flag: string;
  readonly targets: readonly Target[];
}[] = [
  { key: 'part', flag: '--part', targets: ['envoy'] },
  { key: 'transport', flag: '--transport', targets: ['envoy'] },
  { key: 'caFile', flag: '--ca-file', targets: ['envoy', 'oathkeeper'] },
  { key: 'envoyConfig', flag: '--envoy-config', targets: ['envoy'] },
  { key: 'edgeCache', flag: '--edge-cache', targets: ['envoy', 'istio', 'envoy-gateway'] },
  { key: 'namespace', flag: '--namespace', targets: ['istio', 'envoy-gateway'] },
  { key: 'image', flag: '--image', targets: ['istio', 'envoy-gateway'] },
  { key: 'mode', flag: '--mode', targets: ['istio'] },
  { key: 'selector', flag: '--selector', targets: ['istio'] },
];

/** What a target is made from. */
interface Input {
  readonly config: Config;
  readonly source: PolicySource;
  readonly options: GenerateOptions;
  readonly version: Version;
}

/** One target: its plan, and its text. */
interface Emitter {
  plan(input: Input): Plan;
  generate(input: Input): Generated;
}

const EMITTERS: Readonly<Record<Target, Emitter>> = {
  envoy: { plan: envoyPlan, generate: envoy },
  istio: {
    plan: ({ config, options }) => makeIstioPlan(config, { edgeCache: options.edgeCache === true }),
    generate: istio,
  },
  'envoy-gateway': { plan: ({ config, version }) => envoyGatewayPlan(config, version), generate: envoyGateway },
  oathkeeper: { plan: ({ config }) => makeOathkeeperPlan(config), generate: oathkeeper },
};

/** @throws {ConfigError} {GenerateError} {UserError} */
export async function generate(target: string, options: GenerateOptions): Promise<void> {
  if (!isTarget(target)) throw new UserError(unknownTarget(target), 2);
  mustFit(target, options);
  const version = targetVersion(target, options.targetVersion);
  const text = await readConfigFile(options.config);
  const config = parseConfig(text, options.config, { env: withoutSecrets(text, process.env) });
  const source = { text, file: basename(options.config) };
  const input: Input = { config, source, options, version };
  const emitter = EMITTERS[target];
  // Also for its plan: what cannot be generated has none.
  const { files, notes } = emitter.generate(input);
  if (options.plan) {
    const plan = emitter.plan(input);
    process.stdout.write(options.json ? `${JSON.stringify(planJson(plan))}\n` : planText(plan));
    return;
  }
  if (options.json) throw new UserError('--json goes with --plan: what is generated is YAML', 2);
  for (const note of notes) process.stderr.write(`${note}\n`);
  if (options.output === undefined) process.stdout.write(oneStream(files));
  else writeFiles(options.output, files);
}

function writeFiles(folder: string, files: ReadonlyMap<string, string>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of files) {
    const file = join(folder, name);
    writeFileSync(file, text);
    process.stderr.write(`wrote ${file}\n`);
  }
}

/** An option that a target does not know would be dropped in silence. */
function mustFit(target: Target, options: GenerateOptions): void {
  for (const { key, flag, targets } of FOR) {
    if (options[key] !== undefined && !targets.includes(target))
      throw new UserError(`${flag} is for ${targets.join(', ')} alone, and not for ${target}: leave it out`, 2);
  }
  if (options.image !== undefined && !/^[A-Za-z0-9][\w./:@-]*$/.test(options.image))
    throw new UserError(`--image ${options.image}: not the name of an image. Give one such as ory-envoy:0.1.0.`, 2);
  if (!options.authorizer && target !== 'envoy')
    throw new UserError(`--no-authorizer is for envoy, not for ${target}: leave it out`, 2);
  if (options.envoyConfig !== undefined && !options.authorizer)
    throw new UserError(
      '--envoy-config goes with an authorizer, which writes the files there: leave one of --envoy-config and --no-authorizer out',
      2,
    );
}

function envoyPlan({ config, options }: Input): Plan {
  return options.authorizer ? makePlan(config) : makePlanWithoutAuthorizer(config);
}

function envoy({ config, options }: Input): Generated {
  const { part = 'bootstrap', transport = 'http', authorizer, caFile, envoyConfig } = options;
  const text = generateEnvoy(config, {
    part,
    transport,
    authorizer,
    ...(caFile === undefined ? {} : { caFile }),
    ...(envoyConfig === undefined ? {} : { envoyConfig }),
  });
  const names = config.edge.ory?.apiKey !== undefined && text.includes(API_KEY_VARIABLE);
  const note = `set ${API_KEY_VARIABLE} (ory.api_key) where Envoy runs: what is generated names it and does not hold it`;
  return { files: new Map([[`${part}.yaml`, text]]), notes: names ? [note] : [] };
}

function istio({ config, source, options, version }: Input): Generated {
  const { mode, selector, namespace, image = defaultImage(), edgeCache = false, output } = options;
  const separate = output !== undefined;
  return generateIstio(config, { mode, selector, namespace, image, version, edgeCache, source, separate });
}

function envoyGateway({ config, source, options, version }: Input): Generated {
  const { namespace, image = defaultImage(), edgeCache = false } = options;
  return generateEnvoyGateway(config, { source, namespace, image, version, edgeCache });
}

function oathkeeper({ config, options: { caFile } }: Input): Generated {
  return generateOathkeeper(config, caFile === undefined ? {} : { caFile });
}

function unknownTarget(target: string): string {
  if (target === 'ai-gateway') return 'the target ai-gateway is not supported yet. Choose envoy-gateway.';
  return `there is no target ${target}. Choose from ${TARGETS.join(', ')}.`;
}
