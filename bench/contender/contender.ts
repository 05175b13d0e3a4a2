// One way to protect an application, as it runs for the bench: its Envoy and what that asks. No I/O of its own.
import type { FoundEnvoy } from '../../src/edge/find.ts';
import type { RunningEnvoy } from '../../src/edge/run.ts';
import type { Cores, Started } from '../load/process.ts';
import type { Issuer } from '../stand-in/issuer.ts';

/** What all contenders share: where they run, the application and the Ory behind them. */
export interface Surroundings {
  readonly envoy: FoundEnvoy;
  readonly cores: Cores;
  readonly applicationUrl: string;
  readonly kratosUrl: string;
  readonly issuer: Issuer;
  /** The command line of ory-envoy that is measured: that of the package. */
  readonly program: string;
  /** For files, gone at the end. */
  readonly folder: string;
}

export type CredentialKind = 'cookie' | 'JWT';

export interface Contender {
  readonly id: string;
  /** For a table. */
  readonly title: string;
  readonly credential: CredentialKind;
  /** Whether the application learns who the user is. */
  readonly identifies: boolean;
  /** Whether somebody without a credential, or with one that is nobody's, gets 401. */
  readonly refuses: boolean;
  /** @throws {ToolMissing} where it cannot run on this machine. */
  start(surroundings: Surroundings): Promise<RunningContender>;
}

export interface RunningContender {
  readonly envoy: RunningEnvoy;
  /** What Envoy asks, if anything. */
  readonly authorizer: Started | undefined;
  readonly version?: string;
  close(): Promise<void>;
}
