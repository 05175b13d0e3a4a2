// What a rule says, in words. No I/O.
import type { Access, Rule } from '../config/config.ts';
import { requirementText } from '../config/requirement-text.ts';

/** Method, host and path. */
export function matchText({ methods, host, path }: Pick<Rule, 'methods' | 'host' | 'path'>): string {
  return `${methods?.join(',') ?? 'any method'} ${host?.source ?? ''}${path.source}`;
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
