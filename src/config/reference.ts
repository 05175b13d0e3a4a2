// The reference page of the configuration file, made from its JSON Schema. No I/O.
import { configJsonSchema } from './json-schema.ts';

interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly additionalProperties?: Schema | boolean;
}

/** Of keys that are parsed and refused; the same as `unsupported.ts` refuses. */
const NOT_YET = /^(?:cache\.redis|edge\.mcp|rules\[\]\.match\.mcp)/;

/** Markdown, with a final line feed. */
export function configReference(): string {
  const head = `# ory-envoy.yaml

Every key. An unknown key, a bad value or a missing variable stops the start with file, line and column. \`\${NAME}\` in a value is read from the environment. Durations are written \`500ms\`, \`30s\`, \`15m\`, \`1h\`. What rules mean, and what a client gets: [rules.md](rules.md).

\`schema/ory-envoy.schema.json\` is the same for editors: \`# yaml-language-server: $schema=…\`.

`;
  return `${head}${referenceTable(configJsonSchema())}`;
}

/** Every key of a JSON Schema as a table in Markdown, with a final line feed. */
export function referenceTable(jsonSchema: string): string {
  const rows = [...rowsOf(JSON.parse(jsonSchema) as Schema, '')];
  const lines = rows.map(({ key, text }) => `| \`${key}\` | ${text} |`);
  return `${['| key | type | default | meaning |', '|---|---|---|---|', ...lines].join('\n')}\n`;
}

function* rowsOf(schema: Schema, path: string): Generator<{ key: string; text: string }> {
  if (path !== '') yield { key: path, text: [typeOf(schema), defaultOf(schema), meaning(schema, path)].join(' | ') };
  const inside = schema.type === 'array' ? { of: schema.items, at: `${path}[]` } : { of: schema, at: path };
  if (!inside.of) return;
  for (const shape of inside.of.anyOf ?? [inside.of]) {
    for (const [key, value] of Object.entries(shape.properties ?? {}))
      yield* rowsOf(value, inside.at === '' ? key : `${inside.at}.${key}`);
  }
}

function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum) return schema.enum.map((one) => `\`${String(one)}\``).join(' or ');
  if (schema.anyOf) return alternatives(schema.anyOf.map(typeOf));
  if (schema.type === 'array') return schema.items?.properties ? 'list of maps' : 'list';
  if (schema.type === 'object') return 'map';
  return typeof schema.type === 'object' ? alternatives(schema.type) : (schema.type ?? '');
}

/** Where null is taken, the meaning says what for. */
function alternatives(types: readonly string[]): string {
  return [...new Set(types)].filter((type) => type !== '' && type !== 'null').join(' or ');
}

function defaultOf(schema: Schema): string {
  if (schema.default === undefined || (schema.properties && JSON.stringify(schema.default) === '{}')) return '';
  return `\`${cell(typeof schema.default === 'string' ? schema.default : JSON.stringify(schema.default))}\``;
}

function meaning(schema: Schema, path: string): string {
  return [NOT_YET.test(path) ? '*Not supported yet.*' : '', cell(schema.description ?? '')].filter(Boolean).join(' ');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
