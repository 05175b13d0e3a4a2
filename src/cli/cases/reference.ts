// The JSON Schema and the reference page of the file of cases, made from its one schema. No I/O.
import { z } from 'zod';
import { referenceTable } from '../../config/reference.ts';
import { casesSchema } from './schema.ts';

/** Draft 2020-12, as text with a final line feed. */
export function casesJsonSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(casesSchema, { io: 'input' }), undefined, 2)}\n`;
}

/** Markdown, with a final line feed. */
export function casesReference(): string {
  return `# cases.yaml

Every key of the file that \`ory-envoy test\` takes; [testing.md](testing.md) says how to use it. An unknown key, a bad value or a missing variable stops the run with file, line and column. \`\${NAME}\` in a value is read from the environment. Times are written as Ory has them, or relative to the run: \`-20m\`, \`+1h\`.

\`schema/cases.schema.json\` is the same for editors: \`# yaml-language-server: $schema=…\`.

${referenceTable(casesJsonSchema())}`;
}
