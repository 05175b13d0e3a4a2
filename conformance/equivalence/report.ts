// A run and a difference, in words. No I/O.
import { stringify } from 'yaml';
import { bytesOf } from './compare.ts';
import { fileOf } from './policy.ts';
import type { Difference, Run } from './run.ts';

export function report({ tally, difference, seconds }: Run): string {
  const lines = [
    `${tally.total} requests in ${seconds.toFixed(0)} s, ${Math.round(tally.total / seconds)} a second`,
    '',
    'By rule, who gave the verdict:',
    ...[...tally.rules].sort().map(([kind, counts]) => `  ${kind}: ${inWords(counts)}`),
    `Asked for again, who gave the yes: ${inWords(tally.again)}`,
    `By credential: ${inWords(tally.credentials)}`,
    `By reason: ${inWords(tally.reasons)}`,
    `Read otherwise, as listed: ${inWords(tally.listed) || 'never'}`,
  ];
  const missing = tally.missing();
  if (missing.length > 0) lines.push(`Never given: ${missing.join(', ')}`);
  lines.push('', difference ? reportDifference(difference) : 'No difference.');
  return lines.join('\n');
}

function inWords(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

export function reportDifference({ seed, path, policy, request, compared }: Difference): string {
  return [
    'A DIFFERENCE:',
    ...compared.differences.map((one) => `  ${one}`),
    '',
    `# The policy, over ${policy.transport}`,
    stringify(fileOf(policy, 'http://ory', 'http://application')),
    '# The request',
    bytesOf(request, 'n').replaceAll('\r', ''),
    '# The edge',
    JSON.stringify(compared.edge),
    '# The engine',
    JSON.stringify(compared.engine),
    '',
    `Again: npm run equivalence -- --replay ${seed}:${path}`,
  ].join('\n');
}
