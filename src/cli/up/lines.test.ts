import { describe, expect, test } from 'vitest';
import { wantsColour } from './journal.ts';
import { formatJson, formatText, readLine } from './lines.ts';

const text = (line: string, part: Parameters<typeof readLine>[0] = 'envoy') => formatText(readLine(part, line), false);

describe('a line of a part, for people', () => {
  test('of Envoy’s access log: method, path, status, rule, reason, who decided, time', () => {
    const line = '{"method":"GET","path":"/x","status":401,"rule":"app","reason":"session_invalid","duration_ms":3}';
    expect(text(line)).toBe('envoy       GET /x 401 app session_invalid 3 ms');
    expect(text(line.replace('}', ',"decided_by":"edge-cache"}'))).toBe(
      'envoy       GET /x 401 app session_invalid (edge-cache) 3 ms',
    );
    expect(text('{"method":"GET","status":400}')).toBe('envoy       GET - 400 - - - ms');
  });

  test('of Envoy’s own log: level and words', () => {
    const line = '[2026-11-24 09:05:05.321][13815][warning][config] [source/common/x.cc:81] update rejected: why';
    expect(text(line)).toBe('envoy       warn update rejected: why');
  });

  test('of the authorizer: level, message and fields', () => {
    const line =
      '{"level":40,"time":"2026-01-01T00:00:00Z","url":"http://x","cause":"a b","msg":"Kratos does not answer"}';
    expect(text(line, 'authorizer')).toBe('authorizer  warn Kratos does not answer url=http://x cause="a b"');
  });

  test('of anything else: as it is, also where it looks like JSON', () => {
    expect(text('{"a":', 'ory')).toBe('ory         {"a":');
    expect(text('words', 'app')).toBe('app         words');
  });

  test('never speaks to the terminal', () => {
    const shown = text('{"method":"GET","path":"/\\u001b]0;x\\u0007\\u009b31m\\u202egnp","status":200}');
    expect(shown).toBe('envoy       GET /\\x1b]0;x\\x07\\x9b31m\\x202egnp 200 - - - ms');
    expect(text('a\x1b[2Jb', 'app')).toBe('app         a\\x1b[2Jb');
  });

  test('has the name in a colour of its own where colours are wanted, on each line of a message', () => {
    expect(formatText({ part: 'up', level: 'error', message: 'a\nb' }, true)).toBe(
      '\x1b[36mup        \x1b[0m  \x1b[31merror\x1b[0m a\n\x1b[36mup        \x1b[0m  \x1b[31merror\x1b[0m b',
    );
  });
});

describe('a line of a part, for programs', () => {
  const json = (line: string, part: Parameters<typeof readLine>[0]) => JSON.parse(formatJson(readLine(part, line), 0));

  test('keeps its JSON as an object', () => {
    expect(json('{"method":"GET","path":"/x","status":200,"duration_ms":1}', 'envoy')).toEqual({
      time: '1970-01-01T00:00:00.000Z',
      part: 'envoy',
      level: 'info',
      event: 'request',
      message: 'GET /x 200 - - 1 ms',
      data: { method: 'GET', path: '/x', status: 200, duration_ms: 1 },
    });
    expect(json('{"level":50,"time":1,"err":{"name":"E"},"msg":"m"}', 'authorizer')).toMatchObject({
      level: 'error',
      message: 'm',
      data: { err: { name: 'E' } },
    });
  });

  test('has no control character in it, and means the same', () => {
    const line = formatJson(readLine('app', 'a\x1b\x9b\u202eb'), 0);
    expect(line).toMatch(/^[\x20-\x7e]*$/);
    expect(JSON.parse(line).message).toBe('a\x1b\x9b\u202eb');
  });
});

test.each([
  [true, {}, true],
  [false, {}, false],
  [true, { NO_COLOR: '1' }, false],
  [true, { NO_COLOR: '' }, true],
  [false, { FORCE_COLOR: '1' }, true],
  [false, { FORCE_COLOR: '0' }, false],
  [true, { FORCE_COLOR: '0' }, false],
  [true, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
])('colours: a terminal %s with %o: %s', (terminal, env, wanted) => {
  expect(wantsColour(terminal, env)).toBe(wanted);
});
