// What it takes to run the table of cases through a target: what stands behind the edge, and the edge itself.

/** On loopback, in front of which an edge is put: a development Ory, an application, and an authorizer. */
export interface Backing {
  /** A folder of its own. */
  readonly dir: string;
  /** The policy as the authorizer runs it: a parsed ory-envoy.yaml, with addresses of this machine. */
  readonly policy: Readonly<Record<string, unknown>>;
  /** Ports on 127.0.0.1. */
  readonly ports: {
    /** The application, which answers with what it was sent. */
    readonly app: number;
    /** Kratos and Hydra, both. */
    readonly ory: number;
    readonly http: number;
    readonly grpc: number;
  };
}

/** A real Envoy, driven by the target's own translator or control plane from what `ory-envoy generate` wrote. */
export interface TargetEdge {
  /** Where clients reach it: scheme, host and port. */
  readonly url: string;
  /** Where somebody else than the backing's authorizer is asked: ends it. */
  endDecider?(): Promise<void>;
  close(): Promise<void>;
}

/** @param edgePort where it must listen on 127.0.0.1 */
export type StartTarget = (backing: Backing, edgePort: number) => Promise<TargetEdge>;
