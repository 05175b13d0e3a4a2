// Going through a configuration that is already there: every place of one kind is changed, or the first of it is found.
// No I/O.
import type { Block, Value } from '../yaml.ts';

/** The same with each item changed, `key` is '' in a list; what is neither block nor list stays. Comments stay too. */
export function map(value: Value, change: (item: Value, key: string) => Value): Value {
  if (Array.isArray(value)) return value.map((item) => change(item as Value, ''));
  if (!isBlock(value)) return value;
  const changed = Object.entries(value).map(([key, item]) => [key, change(item, key)]);
  return { ...value, ...Object.fromEntries(changed) };
}

/** The first block, from the outside in, of which `is` says so. */
export function find(value: Value, is: (block: Block) => unknown): Block | undefined {
  if (isBlock(value) && is(value)) return value;
  if (typeof value !== 'object') return undefined;
  for (const item of Object.values(value)) {
    const found = find(item as Value, is);
    if (found) return found;
  }
  return undefined;
}

export function isBlock(value: Value): value is Block {
  return typeof value === 'object' && !Array.isArray(value);
}
