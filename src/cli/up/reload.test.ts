// With parts of the test's own: in which order they are told of a change, and what is left of one that is refused.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { UserError } from '../user-error.ts';
import { Journal } from './journal.ts';
import { readPolicy } from './policy.ts';
import { compile, Reload } from './reload.ts';

function policy(rule: string) {
  const text = JSON.stringify({
    ory: { url: 'http://127.0.0.1:1' },
    edge: { upstream: 'http://127.0.0.1:2' },
    rules: [{ name: rule, match: { path: `/${rule}` }, allow: 'anyone' }],
  });
  return readPolicy(text, 'f', {});
}

/** What the parts were told, in order. A step whose name is in `fails` throws. */
function rig() {
  const said: string[] = [];
  const fails = new Set<string>();
  const step = async (words: string) => {
    said.push(words);
    if (fails.has(words)) throw new UserError(`no ${words}`);
  };
  const journal = new Journal(true, {});
  journal.write = ({ level, message }) => void said.push(`${level}: ${message}`);
  const reload = new Reload(compile(policy('one'), '/filters'), {
    envoyConfig: '/filters',
    authorizer: { configure: ({ current, named }) => step(`authorizer ${current.id.slice(0, 2)} ${named.length}`) },
    envoy: {
      part: { apply: () => step('envoy').then(() => 'now' as const), forget: () => step('envoy forgets') },
      validate: async () => undefined,
    },
    development: { start: () => step('start'), configure: () => step('configure') },
    journal,
  });
  return { said, fails, reload };
}
const id = (rule: string) => policy(rule).id.slice(0, 2);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a change', () => {
  test('starts what it needs first, and tells the development parts once it is in force', async () => {
    const { said, reload } = rig();
    await reload.apply(() => policy('two'));
    expect(said).toEqual([
      'start',
      `authorizer ${id('one')} 2`,
      'envoy',
      `authorizer ${id('two')} 2`,
      'configure',
      'info: f is in force (1 rule)',
    ]);
    reload.stop();
  });

  test('that Envoy refuses has changed nothing of the development parts, nor of what the authorizer knows', async () => {
    const { said, fails, reload } = rig();
    fails.add('envoy');
    await reload.apply(() => policy('two'));
    expect(said).toEqual([
      'start',
      `authorizer ${id('one')} 2`,
      'envoy',
      `authorizer ${id('one')} 1`,
      'error: no envoy\nThe old rules stay.',
    ]);
  });

  test('comes through after one before it could not be forgotten, which is said', async () => {
    const { said, fails, reload } = rig();
    await reload.apply(() => policy('two'));
    fails.add('envoy forgets');
    await vi.runAllTimersAsync();
    expect(said.at(-1)).toMatch(/^warn: .*no envoy forgets/);
    await reload.apply(() => policy('three'));
    expect(said.at(-1)).toBe('info: f is in force (1 rule)');
    reload.stop();
  });
});
