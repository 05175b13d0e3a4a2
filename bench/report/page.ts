// The pages that show what a run found: each piece stands between two markers, and nothing else of a page is touched.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { plotsOf } from './plots.ts';
import { type Results, readResults } from './results.ts';
import { sectionsOf } from './sections.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const PAGES = ['docs/performance.md', 'README.md'];
const PICTURES = 'docs/performance';

/** What stands between `<!-- bench:NAME -->` and its end; a marker that nothing was found for is left as it is. */
export function withSections(page: string, sections: ReadonlyMap<string, string>): string {
  return page.replace(
    /(<!-- bench:([a-z-]+) -->\n)[\s\S]*?(<!-- \/bench:\2 -->)/g,
    (whole, begin: string, name: string, end: string) => {
      const section = sections.get(name);
      return section === undefined ? whole : `${begin}${section}\n${end}`;
    },
  );
}

/** Every file of the docs that the results decide, with its content. */
export function pagesOf(results: Results = readResults()): ReadonlyMap<string, string> {
  const sections = sectionsOf(results);
  return new Map([
    ...PAGES.map((path) => [path, withSections(readFileSync(join(ROOT, path), 'utf8'), sections)] as const),
    ...[...plotsOf(results)].map(([name, svg]) => [`${PICTURES}/${name}`, svg] as const),
  ]);
}

export function writePages(): void {
  mkdirSync(join(ROOT, PICTURES), { recursive: true });
  for (const [path, content] of pagesOf()) writeFileSync(join(ROOT, path), content);
}
