// access-rules.yml: each rule of the policy as one access rule of Oathkeeper, or as several where methods come after
// other earlier rules. No I/O.
import type { Config, Rule } from '../../config/config.ts';
import { requirementText } from '../../config/requirement-text.ts';
import { type Block, COMMENT, ONE_LINE, type Value } from '../yaml.ts';
import { authenticatorsOf } from './authenticators.ts';
import { OR_NOBODY, SOMEBODY } from './header-templates.ts';
import { allMethods, isNavigation, type MethodGroup, methodGroups } from './methods.ts';
import { matchUrl } from './url-pattern.ts';

export function accessRules(config: Config): Value[] {
  const methods = allMethods(config.rules);
  return config.rules.flatMap((rule, i) => {
    const groups = methodGroups(rule, config.rules.slice(0, i), methods);
    return groups.map((group, n) =>
      accessRule(rule, group, groups.length === 1 ? rule.name : `${rule.name}.${n + 1}`, config),
    );
  });
}

function accessRule(rule: Rule, { methods, earlier }: MethodGroup, id: string, config: Config): Block {
  const { access } = rule;
  return {
    [COMMENT]: `Rule ${rule.name}: ${accessText(rule)}.${earlier.length === 0 ? '' : ` Not what is of ${earlier.map(({ name }) => name).join(', ')}.`}`,
    id,
    match: { methods, url: matchUrl(rule, earlier), [ONE_LINE]: true },
    authenticators: authenticatorsOf(rule, config).map((one) => ({ ...one, [ONE_LINE]: true })),
    authorizer: { handler: 'allow', [ONE_LINE]: true },
    mutators: [access.kind === 'require' ? HEADERS : HEADERS_OR_NOBODY],
    ...(methods.some((method) => isNavigation(rule, method))
      ? { errors: [{ handler: 'redirect', [ONE_LINE]: true }] }
      : {}),
  };
}

const HEADERS: Block = { handler: 'header', [ONE_LINE]: true };
const HEADERS_OR_NOBODY: Block = {
  handler: 'header',
  config: { headers: { [SOMEBODY]: OR_NOBODY } },
  [ONE_LINE]: true,
};

function accessText({ access }: Rule): string {
  if (access.kind === 'anyone') return 'anyone, without identity';
  const texts = access.anyOf.map(requirementText);
  if (access.kind === 'identify') return `anyone, with the identity of ${texts.join(' or ')} if there is one`;
  return texts.length === 0 ? 'nobody' : texts.join(' or ');
}
