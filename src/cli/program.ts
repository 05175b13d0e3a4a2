// The command line: which commands there are, and what their exit codes mean. A command is loaded when it is called:
// the authorizer does not carry the development Ory.
import { existsSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { ConfigError } from '../config/fault.ts';
import { PARTS } from '../generate/envoy/emit.ts';
import { TRANSPORTS } from '../generate/envoy/transport.ts';
import { GenerateError } from '../generate/generate-error.ts';
import { TARGETS } from '../generate/target.ts';
import type { GenerateOptions } from './generate.ts';
import type { RevokeOptions } from './revoke.ts';
import type { ServeOptions } from './serve.ts';
import type { TestOptions } from './test.ts';
import { ReportedError, UserError } from './user-error.ts';
import { version } from './version.ts';

const DEFAULT_FILE = 'ory-envoy.yaml';

/** Done, the answer is no, usage or configuration. */
const DONE = 0;
const NO = 1;
const USAGE = 2;

/** Runs one command. @returns the exit code: 0 done, 1 the answer is no, 2 usage or configuration. */
export async function run(args: readonly string[]): Promise<number> {
  try {
    await program().parseAsync([...args], { from: 'user' });
    return DONE;
  } catch (error) {
    return report(error);
  }
}

function report(error: unknown): number {
  // Commander has already said what is wrong; --help and --version end here too, with 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : USAGE;
  if (error instanceof ConfigError) {
    process.stderr.write(`${error.message}\n`);
    return USAGE;
  }
  if (error instanceof GenerateError) {
    process.stderr.write(`ory-envoy: ${error.message}\n`);
    return USAGE;
  }
  if (error instanceof UserError) {
    process.stderr.write(`ory-envoy: ${error.message}\n`);
    return error.exitCode;
  }
  if (error instanceof ReportedError) return error.exitCode;
  process.stderr.write(
    `ory-envoy: this is a fault of ory-envoy itself: ${error instanceof Error ? error.stack : error}\n`,
  );
  return NO;
}

function program(): Command {
  const root = new Command('ory-envoy')
    .description('Ory sessions and OAuth2 tokens, enforced at the edge by Envoy from one policy file.')
    .version(version())
    .exitOverride()
    .showHelpAfterError('(ory-envoy --help lists the commands)');

  root
    .command('up')
    .description('the whole edge on this machine; without a file also a development Ory and a demo application')
    .option('-c, --config <file>', `configuration file (default: ${DEFAULT_FILE} where there is one)`)
    .option('--json', 'everything as JSON, one object a line')
    .addOption(new Option('--only <part>', 'the authorizer alone, for an Envoy of your own').choices(['authorizer']))
    .option('--with <servers>', 'real servers in place of the configured ones: kratos=URL,hydra=URL,hydra-admin=URL')
    .option('--print-config', 'print the configuration that is used where there is no file, and end')
    .action(async (options: { config?: string; json?: true; only?: string; with?: string; printConfig?: true }) => {
      const { printDevelopmentPolicy, up } = await import('./up.ts');
      if (options.printConfig) return printDevelopmentPolicy();
      await up({
        file: options.config ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined),
        json: options.json === true,
        onlyAuthorizer: options.only === 'authorizer',
        with: options.with,
      });
    });

  root
    .command('part', { hidden: true })
    .argument('<name>')
    .action(async () => (await import('./up/part-process.ts')).part());

  root
    .command('serve')
    .description('run the authorizer that Envoy asks')
    .addOption(configOption())
    .addOption(
      new Option('--workers <n>', 'processes that judge checks, for more than one core')
        .default(1)
        .argParser(workerCount),
    )
    .addOption(envoyConfigOption('write Envoy’s keys and script into this folder, for `generate envoy --envoy-config`'))
    .action(async (options: ServeOptions) => (await import('./serve.ts')).serve(options));

  root.command('worker', { hidden: true }).action(async () => (await import('./workers/worker.ts')).worker());

  root
    .command('revoke')
    .description('have a running authorizer forget a session, an identity or everything, at once')
    .addOption(configOption())
    .option('--session <id>', 'the id that Kratos has for the session')
    .option('--identity <id>', 'whose sessions and tokens: identity.id of Kratos, sub of tokens')
    .option('--all', 'everything that is remembered')
    .option('--json', 'as JSON, for programs')
    .action(async (options: RevokeOptions) => (await import('./revoke.ts')).revoke(options));

  root
    .command('validate')
    .description('check the file and say what it means, rule by rule')
    .addOption(configOption())
    .option('--json', 'as JSON, for programs')
    .action(async (options: { config: string; json?: true }) =>
      (await import('./validate.ts')).validate(options.config, options.json === true),
    );

  root
    .command('generate')
    .description('configuration for a target')
    .addOption(configOption())
    .argument('<target>', TARGETS.join(', '))
    .option('-o, --output <dir>', 'write into this folder instead of standard output')
    .addOption(
      new Option('--part <part>', 'envoy: only a part, for an Envoy that one already has (default: bootstrap)').choices(
        PARTS,
      ),
    )
    .addOption(
      new Option('--transport <transport>', 'envoy: how Envoy asks the authorizer (default: http)').choices(TRANSPORTS),
    )
    .option(
      '--no-authorizer',
      'envoy: Envoy alone gives every verdict: for policies of tokens and of what anyone may do',
    )
    .addOption(
      envoyConfigOption(
        'envoy: Envoy reads keys and script from this folder, where `serve --envoy-config` writes them',
      ),
    )
    .option('--plan', 'print which rule is native and which is asked, and why, instead')
    .option('--json', 'with --plan: as JSON, for programs')
    .option('--ca-file <file>', 'the CA bundle where Envoy runs (default: /etc/ssl/certs/ca-certificates.crt)')
    .option('--target-version <version>', 'for which version of the target (default: the newest that is known)')
    .option('--edge-cache', 'Envoy remembers a yes of the authorizer, where the target does not do so by itself')
    .option('--namespace <namespace>', 'istio, envoy-gateway: where the objects are')
    .option('--image <image>', 'istio, envoy-gateway: of the authorizer’s container (default: ory-envoy:VERSION)')
    .addOption(
      new Option('--mode <mode>', 'istio: where Envoy runs (default: gateway)').choices(['gateway', 'sidecar']),
    )
    .option('--selector <labels>', 'istio: of the pods, such as app=web, or targetRefs such as gateway/public')
    .action(async (target: string, options: GenerateOptions) =>
      (await import('./generate.ts')).generate(target, options),
    );

  root
    .command('test')
    .description('expected verdicts for a table of requests, against the engine or a running edge')
    .addOption(configOption())
    .argument('<cases>', 'the file of cases, such as cases.yaml')
    .option('--edge <url>', 'send the requests to a running edge instead of asking the engine')
    .option('--json', 'as JSON, for programs')
    .action(async (file: string, options: TestOptions) => (await import('./test.ts')).test(file, options));

  return root;
}

/** An empty one is a variable that is not set, and would be the root of the file system. */
function envoyConfigOption(description: string): Option {
  return new Option('--envoy-config <dir>', description).argParser((folder: string) => {
    if (folder.trim() === '') throw new InvalidArgumentError('Name a folder.');
    return folder;
  });
}

function configOption(): Option {
  return new Option('-c, --config <file>', 'configuration file').default(DEFAULT_FILE);
}

const MAX_WORKERS = 256;

function workerCount(text: string): number {
  const count = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : Number.NaN;
  if (count <= MAX_WORKERS) return count;
  throw new InvalidArgumentError(`It is a whole number from 1 to ${MAX_WORKERS}, such as the number of cores.`);
}
