// The matrix of cases and targets: what stands in each field, with the reason where a target does not do as the policy
// says, and the faults that no reason explains. No I/O.
import { ABILITIES_OF, type Abilities, type Feature } from '../../src/generate/abilities.ts';
import { GAPS, type Gap } from '../../src/generate/gaps.ts';
import type { Target } from '../../src/generate/target.ts';
import type { Found } from './run.ts';

/** A case on a target. */
export interface Entry {
  readonly sheet: string;
  readonly case: string;
  readonly column: string;
  readonly target: Target;
  readonly needs: ReadonlySet<Feature>;
  /** Where refusals are expected in whatever words: the sheet's, or the case names no reason. */
  readonly anyWords: boolean;
  /** Whoever is asked is away, and why the target then lets nobody in; undefined otherwise. */
  readonly apart: string | undefined;
  readonly found: Found;
}

/** What is written into the matrix. */
type Judged =
  | { readonly kind: 'pass'; readonly own: boolean }
  | { readonly kind: 'not supported'; readonly reason: string }
  | { readonly kind: 'fault'; readonly fault: string };

export function judged(entry: Entry): Judged {
  const { found, target } = entry;
  const abilities = abilitiesOf(target);
  if (found.kind === 'refused') return { kind: 'not supported', reason: `generate ${target}: ${found.why}` };
  if (found.kind === 'pass') {
    const own = found.words === 'own';
    if (!own || entry.anyWords || abilities.problem_body.kind === 'unsupported') return { kind: 'pass', own };
    return fault(entry, 'refused in words of its own, and the abilities say that every denial is the authorizer’s');
  }
  const gap = GAPS.find((one) => isGap(one, entry));
  if (gap) return { kind: 'not supported', reason: `KNOWN GAP: ${reasonText(gap)}` };
  if (found.lenient) return fault(entry, `${found.how}: a yes too many`);
  if (entry.apart !== undefined) return { kind: 'not supported', reason: entry.apart };
  const reasons = [...entry.needs].flatMap((feature) => whyNot(abilities, feature));
  if (reasons.length === 0) return fault(entry, `${found.how}: nothing in the abilities explains it`);
  return { kind: 'not supported', reason: reasons.join('; ') };
}

/** What the abilities and the list of gaps say a target does not do, and no case shows. */
export function unshown(entries: readonly Entry[]): string[] {
  const columns = new Map(entries.map(({ column, target }) => [column, target]));
  const faults: string[] = [];
  for (const [column, target] of columns) {
    const abilities = abilitiesOf(target);
    const here = entries.filter((one) => one.column === column);
    for (const feature of Object.keys(abilities) as Feature[]) {
      const about = here.filter(({ needs }) => needs.has(feature));
      if (whyNot(abilities, feature).length === 0 || about.length === 0) continue;
      if (about.every(({ found }) => found.kind === 'pass' && (feature !== 'problem_body' || found.words === 'ours')))
        faults.push(`${column}: "${feature}" is supported after all: each of its ${about.length} cases passes`);
    }
    for (const gap of GAPS.filter((one) => one.target === target)) {
      if (!here.some((entry) => isGap(gap, entry)))
        faults.push(`${column}: the gap "${gap.case}" is closed: take it out of the list`);
    }
  }
  return faults;
}

function isGap(gap: Gap, { target, case: name, found }: Entry): boolean {
  return gap.target === target && gap.case === name && found.kind === 'differs' && found.lenient === gap.lenient;
}

function abilitiesOf(target: Target): Abilities {
  return ABILITIES_OF[target];
}

function whyNot(abilities: Abilities, feature: Feature): string[] {
  const support = abilities[feature];
  if (support.kind !== 'unsupported') return [];
  return [reasonText(support)];
}

function reasonText({ why, issue }: { readonly why: string; readonly issue?: string }): string {
  return `${why}${issue === undefined ? '' : ` (${issue})`}`;
}

function fault({ sheet, case: name, column }: Entry, text: string): Judged {
  return { kind: 'fault', fault: `${column}, ${sheet}, "${name}": ${text}` };
}

/** One line a case, with the reasons at the end. */
export function matrixText(entries: readonly Entry[]): string {
  const columns = [...new Set(entries.map(({ column }) => column))];
  const notes: string[] = [];
  const fields = entries.map((entry) => ({ entry, text: fieldText(judged(entry), notes) }));
  const rows = [...new Set(entries.map(({ sheet, case: name }) => JSON.stringify([sheet, name])))];
  const width = Math.max(...entries.map(({ case: name, sheet }) => Math.max(name.length, sheet.length + 2))) + 2;
  const widths = columns.map(
    (column) =>
      Math.max(column.length, ...fields.filter(({ entry }) => entry.column === column).map(({ text }) => text.length)) +
      2,
  );
  const line = (name: string, texts: readonly string[]) =>
    `${name.padEnd(width)}${texts.map((text, i) => text.padEnd(widths[i] ?? 0)).join('')}`.trimEnd();
  const lines: string[] = [];
  let before = '';
  for (const row of rows) {
    const [sheet = '', name = ''] = JSON.parse(row) as string[];
    if (sheet !== before) lines.push(...(before === '' ? [] : ['']), line(`# ${sheet}`, columns));
    before = sheet;
    const texts = columns.map(
      (column) =>
        fields.find(({ entry }) => entry.sheet === sheet && entry.case === name && entry.column === column)?.text ?? '',
    );
    lines.push(line(name, texts));
  }
  const own = fields.some(({ text }) => text === OWN) ? ['', OWN_NOTE] : [];
  return [...lines, ...own, ...notes.flatMap((note, i) => [...(i === 0 ? [''] : []), `[${i + 1}] ${note}`]), ''].join(
    '\n',
  );
}

const OWN = 'pass *';
const OWN_NOTE = '* refused by the gateway itself, in words of its own: the verdict is what is compared';

function fieldText(field: Judged, notes: string[]): string {
  if (field.kind === 'pass') return field.own ? OWN : 'pass';
  if (field.kind === 'fault') return 'FAULT';
  const reason = `not supported: ${field.reason}`;
  if (!notes.includes(reason)) notes.push(reason);
  return `not supported [${notes.indexOf(reason) + 1}]`;
}
