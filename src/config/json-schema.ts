// The JSON Schema that editors use, made from the one schema. No I/O.
import { z } from 'zod';
import { configSchema } from './schema.ts';

/** The file's JSON Schema (draft 2020-12), as text with a final line feed. */
export function configJsonSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(configSchema, { io: 'input' }), undefined, 2)}\n`;
}
