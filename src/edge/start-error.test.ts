// What is made of the log of an Envoy that did not start.
import { expect, test } from 'vitest';
import { explainExit } from './start-error.ts';

const at = (level: string, text: string) => `[2026-01-01 00:00:00.000][1][${level}][config] [source/x.cc:1] ${text}`;

test('an address in use is named', () => {
  const log = [
    at('warning', 'w'),
    at('critical', "error initializing: cannot bind '127.0.0.1:80': Address already in use"),
  ];
  expect(explainExit(log, 'x')).toBe(
    'Envoy cannot listen on 127.0.0.1:80: the address is in use; end what listens there or choose another',
  );
});

test('another reason for not listening is given', () => {
  expect(explainExit([at('critical', "cannot bind '127.0.0.1:80': Permission denied")], 'x')).toBe(
    'Envoy cannot listen on 127.0.0.1:80: Permission denied',
  );
});

test('the first error is the explanation, and warnings are none', () => {
  expect(explainExit([at('warning', 'w'), at('error', 'first'), at('critical', 'second')], 'x')).toBe(
    'Envoy did not start: first',
  );
});

test('where the log says nothing, the outcome is said', () => {
  expect(explainExit([at('warning', 'w')], 'it exited with code 1')).toBe('Envoy did not start: it exited with code 1');
});
