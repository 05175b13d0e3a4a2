// What of a session is kept: what a verdict, an identity header or a revocation may look at. The rest of Kratos's answer
// (devices, addresses, timestamps, traits that nobody is told) is most of its bytes, and would be remembered for nothing. No I/O.
import { isObject, type Json, type JsonObject } from './identity.ts';

/** Each path whole. decide.ts reads level and time, cache/revocations.ts the ids. */
const ALWAYS: readonly (readonly string[])[] = [
  ['id'],
  ['authenticator_assurance_level'],
  ['authenticated_at'],
  ['identity', 'id'],
];

/** Members that are kept, each whole where it is `true`. */
type Kept = ReadonlyMap<string, Kept | true>;

/** @param paths those that identity headers read. */
export function createKeep(paths: readonly (readonly string[])[]): (session: JsonObject) => JsonObject {
  const kept = new Map<string, Kept | true>();
  for (const path of [...ALWAYS, ...paths]) add(kept, path);
  return (session) => part(session, kept);
}

function add(kept: Map<string, Kept | true>, [step, ...rest]: readonly string[]): void {
  if (step === undefined) return;
  const before = kept.get(step);
  if (before === true || rest.length === 0) {
    kept.set(step, true);
    return;
  }
  const below = new Map(before);
  add(below, rest);
  kept.set(step, below);
}

function part(from: JsonObject, kept: Kept): JsonObject {
  const members: [string, Json][] = [];
  for (const [name, below] of kept) {
    const value = Object.hasOwn(from, name) ? from[name] : undefined;
    // A path ends at what is no object: below it nothing is found.
    if (value === undefined || (below !== true && !isObject(value))) continue;
    members.push([name, below === true || !isObject(value) ? value : part(value, below)]);
  }
  return Object.fromEntries(members);
}
