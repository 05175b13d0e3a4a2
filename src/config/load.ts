// Reading a configuration file: YAML, environment, schema, resolution. Reads the file; everything else is pure.
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Config } from './config.ts';
import { resolve } from './resolve.ts';
import { configSchema } from './schema.ts';
import { schemaWords } from './schema-faults.ts';
import { type Env, type FileKind, readYaml, unreadable } from './yaml-file.ts';

const CONFIG_FILE: FileKind<typeof configSchema> = {
  schema: configSchema,
  words: schemaWords(configSchema, { schemaFile: 'schema/ory-envoy.schema.json' }),
  advice: { ifEmpty: 'Begin with ory: and edge:', ifTooLarge: 'Split it: one file is one edge' },
};

export interface LoadOptions {
  /** Where `${NAME}` is looked up; default the process's environment. */
  readonly env?: Env;
}

/**
 * Reads and resolves a configuration file.
 * @throws {ConfigError} with every fault found, each with line and column, also where the file cannot be read.
 */
export function loadConfig(file: string, options: LoadOptions = {}): Config {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error, NAME_ANOTHER);
  }
  return parseConfig(text, file, options);
}

/** The text of a configuration file, for {@link parseConfig}. @throws {ConfigError} where it cannot be read. */
export async function readConfigFile(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw unreadable(file, error, NAME_ANOTHER);
  });
}

const NAME_ANOTHER = 'Name another with -c FILE';

/**
 * Resolves a configuration given as text; `file` is used in messages alone.
 * @throws {ConfigError} with every fault found.
 */
export function parseConfig(source: string, file: string, options: LoadOptions = {}): Config {
  const { content, report, stopAtFaults } = readYaml(source, file, CONFIG_FILE, options.env ?? process.env);
  const config = resolve(content, report);
  stopAtFaults();
  return config;
}
