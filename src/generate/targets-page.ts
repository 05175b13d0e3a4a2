// The reference page of what each target can do, made from the tables of abilities. No I/O.
import { ABILITIES_OF, type Abilities, FEATURES, type Feature, type Support } from './abilities.ts';
import { GAPS, type Gap } from './gaps.ts';
import { TARGETS, type Target, VERSIONS } from './target.ts';

const PAGE_OF: Readonly<Record<Target, string>> = {
  envoy: 'envoy.md',
  istio: 'istio.md',
  'envoy-gateway': 'envoy-gateway.md',
  oathkeeper: 'oathkeeper.md',
};

const FEATURE_NAMES = Object.keys(FEATURES) as Feature[];

/** Markdown, with a final line feed. */
export function targetsPage(): string {
  const known = TARGETS.map((target) => ({ target, abilities: ABILITIES_OF[target] }));
  const names = known.map(({ target }) => `[${VERSIONS[target].of}](${PAGE_OF[target]})`);
  const rows = FEATURE_NAMES.map(
    (feature) => `| ${FEATURES[feature]} | ${known.map(({ abilities }) => word(abilities[feature])).join(' | ')} |`,
  );
  return `# What each target can do

Made from the tables of abilities beside each emitter (\`npm run targets\`). [which-target.md](which-target.md) says which one to take; \`generate TARGET --plan\` says of your own rules which are native and which are asked.

- **native**: the gateway does it by itself.
- **asked**: the authorizer does it; nothing is lost but the time of asking.
- **no**: it is not to be had there, and the table of the target says what happens instead: \`generate\` refuses the policy (exit code 2, with the rule and the reason), more is refused, or, with a note, it is left to you. Where a case shows that more is let through, it is a known gap, and stands in a table of its own.

| | ${names.join(' | ')} |
|---|${known.map(() => '---|').join('')}
${rows.join('\n')}

That is not only written here: \`npm test\` runs one table of cases on every target, each driven by its own translator or control plane, and every difference must have its reason in these tables ([the matrix](../conformance/targets/matrix.txt)). What is said not to be there and passes, fails as well, wherever a case is about it: none is about what Envoy remembers, revocations, new keys, \`edge.ory_path\` and upstreams, which the suites of each target show (conformance/README.md).

${known.map(section).join('\n')}`;
}

function word({ kind }: Support): string {
  return kind === 'unsupported' ? '**no**' : kind;
}

function section({ target, abilities }: { readonly target: Target; readonly abilities: Abilities }): string {
  const { of, oldest, newest } = VERSIONS[target];
  const versions = oldest === newest ? oldest : `${oldest} to ${newest}`;
  const rows = FEATURE_NAMES.map((feature) => `| ${FEATURES[feature]} | ${text(abilities[feature])} |`);
  return `## ${of}

\`ory-envoy generate ${target}\`, for ${versions}.

| | |
|---|---|
${rows.join('\n')}
${gaps(GAPS.filter((one) => one.target === target))}`;
}

function text(support: Support): string {
  switch (support.kind) {
    case 'native':
      return `native${support.from === undefined ? '' : `, from ${support.from}`}: ${support.how}`;
    case 'asked':
      return `asked: ${support.why}`;
    case 'unsupported':
      return `**no**: ${support.why}${issueText(support)}`;
  }
}

/** Each is a case of the table. */
function gaps(known: readonly Gap[]): string {
  if (known.length === 0) return '';
  const rows = known.map((gap) => {
    const kind = gap.lenient ? 'more is let through' : 'more is refused';
    return `| ${gap.case} | ${kind} | ${gap.why}${issueText(gap)} |`;
  });
  return `
Known gaps, each a case of the matrix:

| case | what | why |
|---|---|---|
${rows.join('\n')}
`;
}

function issueText({ issue }: { readonly issue?: string }): string {
  if (issue === undefined) return '';
  const [, repository, number] = /^([\w.-]+\/[\w.-]+)#(\d+)$/.exec(issue) ?? [];
  if (repository === undefined) throw new RangeError(`${issue}: not an issue`);
  return ` ([${issue}](https://github.com/${repository}/issues/${number}))`;
}
