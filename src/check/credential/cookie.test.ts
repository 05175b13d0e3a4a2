// The session cookie among others: confusion of names, hiding places, order, cost.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CookieName } from '../../config/config.ts';
import { sessionCookie } from './cookie.ts';

const DEFAULT: readonly CookieName[] = [
  { name: 'ory_kratos_session', prefix: false },
  { name: 'ory_session_', prefix: true },
];

function say(lines: readonly string[], names = DEFAULT): string {
  const found = sessionCookie(lines, names);
  return found.kind === 'found' ? found.credential.value : found.kind;
}

describe('the session cookie', () => {
  test.each([
    ['a=1; ory_kratos_session=v; b=2', 'ory_kratos_session=v'],
    ['a=1;ory_kratos_session=v;b=2', 'ory_kratos_session=v'],
    ['a=1;\tory_kratos_session=v\t; b', 'ory_kratos_session=v'],
    ['ory_kratos_session=a=b==', 'ory_kratos_session=a=b=='],
    ['ory_session_acme=v', 'ory_session_acme=v'],
    ['ory_session_=v', 'ory_session_=v'],
    ["ory_kratos_session=MTY|x-_.~!#$%&'()*+/:<>?@[]^`{}", "ory_kratos_session=MTY|x-_.~!#$%&'()*+/:<>?@[]^`{}"],
    // Other names.
    ['xory_kratos_session=v', 'absent'],
    ['ory_kratos_session2=v', 'absent'],
    ['ory_kratos_sessio=v', 'absent'],
    ['Ory_Kratos_Session=v', 'absent'],
    ['__Host-ory_kratos_session=v', 'absent'],
    ['xory_session_acme=v', 'absent'],
    ['ory_session=v', 'absent'],
    ['ory_kratos_session', 'absent'],
    ['ory_kratos_session =v', 'absent'],
    ['ory_kratos_session; =v', 'absent'],
    ['ory_session_a; b=v', 'absent'],
    ['', 'absent'],
    [';;; ;', 'absent'],
    // Inside of another cookie's value.
    ['a=ory_kratos_session=v', 'absent'],
    ['a="ory_kratos_session=v"', 'absent'],
    ['a="x; ory_kratos_session=v"', 'malformed'],
    ['a=1, ory_kratos_session=v', 'absent'],
    ['ory_kratos_session=v, ory_kratos_session=w', 'ambiguous'],
    ['ory_kratos_session=v,ory_session_x=w', 'ambiguous'],
    ['ory_kratos_session=v, a=1', 'malformed'],
    // Values that two servers read differently.
    ['ory_kratos_session="v"', 'malformed'],
    ['ory_kratos_session=v\\', 'malformed'],
    ['ory_kratos_session=v w', 'malformed'],
    ['ory_kratos_session=v\tw', 'malformed'],
    ['ory_kratos_session=v\0', 'malformed'],
    ['ory_kratos_session=v\x7f', 'malformed'],
    ['ory_kratos_session=\xe9', 'malformed'],
    ['ory_kratos_session=\xa0v', 'malformed'],
    ['ory_session_a b=v', 'malformed'],
    ['ory_session_"=v', 'malformed'],
    ['ory_session_\xe9=v', 'malformed'],
  ])('%j: %s', (line, found) => {
    expect(say([line])).toBe(found);
  });

  test('the configured order decides between names, wherever they stand', () => {
    const lines = ['ory_session_x=1', 'b=2; a=3'];
    const exact = (name: string): CookieName => ({ name, prefix: false });
    expect(say(lines, [exact('a'), exact('b')])).toBe('a=3');
    expect(say(lines, [exact('b'), exact('a')])).toBe('b=2');
    expect(say(lines, [exact('none'), { name: 'ory_session_', prefix: true }])).toBe('ory_session_x=1');
    // The first one present counts, also where it is of no use.
    expect(say(['a="x"; b=2'], [exact('a'), exact('b')])).toBe('malformed');
    expect(say(['a=x; a=y; b=2'], [exact('a'), exact('b')])).toBe('ambiguous');
  });

  test('what is found is always one whole pair of the header, under a configured name', () => {
    const piece = fc.constantFrom(
      'ory_kratos_session',
      'ory_session_',
      'x',
      '=',
      ';',
      '; ',
      ' ',
      '\t',
      '"',
      ',',
      'v',
      '\\',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
        const line = pieces.join('');
        const found = sessionCookie([line], DEFAULT);
        if (found.kind !== 'found') return;
        const pairs = line.split(';').map((pair) => pair.replace(/^[ \t]+|[ \t]+$/g, ''));
        expect(pairs).toContain(found.credential.value);
        expect(found.credential.value).toMatch(/^(?:ory_kratos_session|ory_session_[\w-]*)=[^\s",;\\]+$/);
      }),
      { numRuns: 5_000 },
    );
  });

  test('a header of nothing but beginnings of the name is read in linear time', () => {
    const started = performance.now();
    say(['ory_session_;'.repeat(40_000)]);
    say(['ory_kratos_session;'.repeat(40_000)]);
    say([`${'ory_session_x;'.repeat(40_000)}=`]);
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
