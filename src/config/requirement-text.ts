// What a requirement asks for, in words. No I/O.
import type { Requirement } from './config.ts';
import { formatDuration } from './duration.ts';

export function requirementText(requirement: Requirement): string {
  if (requirement.kind === 'session') {
    const { aal, maxAgeMs } = requirement;
    const factor = aal === 'aal2' ? ' with a second factor' : '';
    return `a session${factor}${maxAgeMs === undefined ? '' : ` not older than ${formatDuration(maxAgeMs)}`}`;
  }
  const { audiences, scopes, claims } = requirement;
  const more = [
    ...(scopes.length === 0 ? [] : [`scope ${scopes.join(' and ')}`]),
    ...claims.map(({ path, value }) => `${path.join('.')} ${JSON.stringify(value)}`),
  ];
  const whose = audiences.length === 0 ? 'any audience' : audiences.join(' or ');
  return `a token for ${whose}${more.length === 0 ? '' : ` with ${more.join(' and ')}`}`;
}
