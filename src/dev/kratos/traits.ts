// The traits of an identity as the fields of a form, and back. No I/O.

interface Leaf {
  readonly path: readonly string[];
  readonly value: string | number | boolean;
}

type Traits = Readonly<Record<string, unknown>>;

const maxDepth = 5;

/** What a form can show of the traits: texts, numbers and booleans, the email first. Lists are left out. */
export function traitLeaves(traits: Traits): Leaf[] {
  const leaves = leavesBelow(traits, []);
  const isEmail = ({ path }: Leaf) => path.join('.') === 'email';
  return [...leaves.filter(isEmail), ...leaves.filter((leaf) => !isEmail(leaf))];
}

function leavesBelow(value: unknown, path: readonly string[]): Leaf[] {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return [{ path, value }];
  if (typeof value !== 'object' || value === null || Array.isArray(value) || path.length >= maxDepth) return [];
  return Object.entries(value).flatMap(([name, inner]) => leavesBelow(inner, [...path, name]));
}

/** The traits with what a form says of them. A form changes the fields that it was given, and brings no new ones. */
export function traitsWithForm(traits: Traits, fields: ReadonlyMap<string, string>): Traits {
  const changed = structuredClone(traits) as Record<string, unknown>;
  for (const { path, value } of traitLeaves(traits)) {
    const given = fields.get(`traits.${path.join('.')}`);
    if (given !== undefined) setLeaf(changed, path, likeBefore(given, value));
  }
  return changed;
}

function likeBefore(given: string, before: string | number | boolean): string | number | boolean {
  if (typeof before === 'boolean') return given === 'true' || given === 'on';
  const number = Number(given);
  return typeof before === 'number' && given.trim() !== '' && Number.isFinite(number) ? number : given;
}

/** `path` is one of `traitLeaves`, so it runs along members that are there: no name reaches a prototype. */
function setLeaf(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name = '', ...rest] = path;
  if (rest.length === 0) target[name] = value;
  else setLeaf(target[name] as Record<string, unknown>, rest, value);
}
