// What a rule says, in words. No I/O.
import type { Access, Requirement, Rule } from '../config/config.ts';
import { formatDuration } from '../config/duration.ts';

/** Method, host and path. */
export function matchText(rule: Rule): string {
  return `${rule.methods?.join(',') ?? 'any method'} ${rule.host?.source ?? ''}${rule.path.source}`;
}

/** Who may pass. */
export function accessText(access: Access): string {
  switch (access.kind) {
    case 'anyone':
      return 'anyone, without identity';
    case 'identify':
      return `anyone, with identity where there is ${access.anyOf.map(requirementText).join(' or ')}`;
    case 'require':
      return access.anyOf.map(requirementText).join(' or ');
  }
}

function requirementText(requirement: Requirement): string {
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
