// Configuration files made to hurt: a clear fault, in bounded time.
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/config/fault.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { attack } from './classes.ts';

const faultOf = (text: string) => {
  try {
    parseConfig(text, 'x.yaml', { env: {} });
    return undefined;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message;
  }
};

describe(attack(32), () => {
  const bomb = (levels: number) =>
    [
      'a: &a0 [x, x, x, x, x, x, x, x, x]',
      ...Array.from({ length: levels }, (_, i) => `b${i}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(', ')}]`),
    ].join('\n');

  it.each([
    ['aliases that multiply', bomb(6), /aliases/],
    ['deep lists', `ory: ${'['.repeat(10_000)}${']'.repeat(10_000)}`, /nested too deeply/],
    ['deep maps', `ory: ${'{a: '.repeat(10_000)}1${'}'.repeat(10_000)}`, /nested too deeply/],
    ['more than four mebibytes', `ory: "${'x'.repeat(4_200_000)}"`, /larger than/],
    ['a key twice', 'ory: {}\nory: {}', /given twice/],
    ['__proto__', 'ory: { __proto__: { url: x } }', /__proto__/],
    ['a tag that makes something', 'ory: !!js/function "x"', /not YAML|ory/],
    ['two documents', 'ory: {}\n---\nory: {}', /more than one document/],
    ['a variable that is none', 'ory: { url: "${}" }', /variable/],
  ])('a file with %s is a fault, in bounded time', (_, text, message) => {
    const started = performance.now();
    expect(faultOf(text)).toMatch(message);
    expect(performance.now() - started).toBeLessThan(30_000);
  });
});
