// Bars as an SVG that needs nothing else, legible on a light page and on a dark one. No I/O.
import { figure } from './table.ts';

export interface Plot {
  readonly title: string;
  /** Under the title: what was measured, and the unit. */
  readonly subtitle: string;
  /** Names of the parts of a bar, in order; with one, there is no legend. */
  readonly parts: readonly string[];
  readonly bars: readonly Bar[];
}

interface Bar {
  readonly label: string;
  /** One for each part, laid end to end. */
  readonly values: readonly number[];
  /** At the end of the bar; default the sum. */
  readonly text?: string;
}

const WIDTH = 860;
const MARGIN = 16;
const BAR = 20;
const STEP = 32;
const FONT = 13;
/** Wider than a letter is on the average in any common sans-serif. */
const LETTER = FONT * 0.58;

const STYLE = `
  text { font: ${FONT}px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .quiet { fill: #59636e }
  .page { fill: #ffffff }
  .axis { stroke: #d1d9e0 }
  .p0 { fill: #0969da } .p1 { fill: #bc4c00 } .p2 { fill: #6e7781 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .quiet { fill: #9198a1 } .page { fill: #0d1117 } .axis { stroke: #3d444d }
    .p0 { fill: #4493f8 } .p1 { fill: #f0883e } .p2 { fill: #9198a1 }
  }
`;

export function plotSvg({ title, subtitle, parts, bars }: Plot): string {
  const labels = Math.ceil(Math.max(...bars.map(({ label }) => label.length)) * LETTER);
  const left = MARGIN + labels + 12;
  const most = Math.max(...bars.map(({ values }) => sum(values)));
  const texts = bars.map(({ values, text: end }) => end ?? figure(sum(values)));
  // A bar that is short may have a long text: the bars get what the longest text leaves.
  const right = Math.ceil(Math.max(...texts.map((one) => one.length)) * LETTER) + 8;
  const scale = (WIDTH - left - right - MARGIN) / most;
  const top = parts.length > 1 ? 92 : 68;
  const height = top + bars.length * STEP + MARGIN - 8;
  const body: string[] = [
    text(MARGIN, 28, title, 'title'),
    text(MARGIN, 50, subtitle, 'quiet'),
    ...(parts.length > 1 ? legend(parts) : []),
    `<line class="axis" x1="${left - 0.5}" y1="${top - 6}" x2="${left - 0.5}" y2="${height - MARGIN + 4}"/>`,
  ];
  for (const [i, { label, values }] of bars.entries()) {
    const y = top + i * STEP;
    body.push(text(left - 10, y + 15, label, '', 'end'));
    let x = left;
    for (const [part, value] of values.entries()) {
      const width = value * scale;
      body.push(`<rect class="p${part}" x="${round(x)}" y="${y}" width="${round(width)}" height="${BAR}"/>`);
      x += width;
    }
    body.push(text(round(x + 8), y + 15, texts[i] ?? ''));
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}">`,
    `<style>${STYLE}</style>`,
    `<rect class="page" width="${WIDTH}" height="${height}" rx="6"/>`,
    ...body,
    '</svg>\n',
  ].join('\n');
}

function legend(parts: readonly string[]): string[] {
  let x = MARGIN;
  return parts.flatMap((part, i) => {
    const at = x;
    x += 18 + part.length * LETTER + 20;
    return [
      `<rect class="p${i}" x="${round(at)}" y="64" width="12" height="12"/>`,
      text(round(at + 18), 75, part, 'quiet'),
    ];
  });
}

function text(x: number, y: number, content: string, className = '', anchor = ''): string {
  const attributes = `${className ? ` class="${className}"` : ''}${anchor ? ` text-anchor="${anchor}"` : ''}`;
  return `<text x="${x}" y="${y}"${attributes}>${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function round(value: number): number {
  return Number(value.toFixed(1));
}
