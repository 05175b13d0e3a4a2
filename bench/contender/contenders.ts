// Everything that is compared, in the order of the tables. No I/O.
import { edgeCache, emptyNode, goGrpc, oathkeeper, overGrpc, overHttp } from './asked.ts';
import type { Contender } from './contender.ts';
import { bare, jwtAuthn, nativeToken, noAuth } from './native.ts';

export const CONTENDERS: readonly Contender[] = [
  bare,
  noAuth,
  jwtAuthn,
  nativeToken,
  edgeCache,
  overHttp,
  overGrpc,
  emptyNode,
  goGrpc,
  oathkeeper,
];

export function contendersOf(ids: readonly string[]): readonly Contender[] {
  return ids.map((id) => {
    const found = CONTENDERS.find((one) => one.id === id);
    if (!found) throw new Error(`no contender is called ${id}`);
    return found;
  });
}
