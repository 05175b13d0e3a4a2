// The table of SECURITY.md, made from the classes. No I/O.
import { CLASSES } from './classes.ts';

const BEGIN = '<!-- npm run security writes this table -->';
const END = '<!-- end of the table -->';

export function securityTable(): string {
  const rows = CLASSES.map(({ id, attack, precedent = '', defence, where, tests, without }) =>
    row([
      String(id),
      attack,
      precedent,
      `${defence} (${where.map((path) => `\`${path.replace(/^src\//, '')}\``).join(', ')})`,
      tests.map((test) => test.replace(': ', ': *').concat('*')).join('<br>'),
      without,
    ]),
  );
  const head = row([
    'class',
    'attack',
    'precedent',
    'defence (in `src/`)',
    'tests (in `conformance/edge/attacks/`, else `conformance/edge/`)',
    'without it',
  ]);
  return [head, row(Array(6).fill('---')), ...rows].join('\n');
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** The page with its table as it should be. @throws where the page has no place for it. */
export function withTable(page: string): string {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`the page has no lines "${BEGIN}" and "${END}"`);
  return `${page.slice(0, from + BEGIN.length)}\n\n${securityTable()}\n\n${page.slice(to)}`;
}
