// The two Orys that every case of the edge is shown on. No I/O of its own.
import type { StartOry } from './contract.ts';
import { startDevelopmentOry } from './dev.ts';
import { startRealOry } from './real.ts';

export const ORYS: readonly { readonly name: string; readonly start: StartOry }[] = [
  { name: 'the development Ory', start: startDevelopmentOry },
  { name: 'the real Kratos and Hydra', start: startRealOry },
];
