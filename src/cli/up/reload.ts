// A changed file put in force, as a whole or not at all, while requests go on. Its I/O is that of the parts.
//
// Why no request is let through by a mixture of two policies:
// 1. A route of Envoy belongs to one policy. It says so with every check (`ory-policy`), and the authorizer judges that
//    check by this policy and no other, for as long as a request may still be on such a route; an unknown one is denied.
// 2. What Envoy decides without asking (an open route) stands in the same route as the upstream that it leads to, and an
//    upstream's cluster is named by its content: a cluster never changes its address under a route.
// 3. A listener (which headers it strips, which tokens it verifies) has routes of its own. One that is replaced keeps
//    its old ones until its connections have ended.
// So each request is under the old policy or under the new one, in Envoy and in the authorizer alike, and the order of
// the steps decides only which of the two a request meets: the authorizer knows the new policy, and has written the
// filters that Envoy reads of it, before any route names it, and forgets the old one after the last request on such a
// route.
import type { Config } from '../../config/config.ts';
import { ConfigError } from '../../config/fault.ts';
import { caBundle } from '../../edge/ca-bundle.ts';
import { PushRejectedError } from '../../edge/discovered.ts';
import { generateDiscovery } from '../../generate/envoy/discovery.ts';
import { generateEnvoy } from '../../generate/envoy/emit.ts';
import { GenerateError } from '../../generate/generate-error.ts';
import { UserError } from '../user-error.ts';
import type { EdgeConfig, EdgePart } from './edge.ts';
import type { Journal } from './journal.ts';
import type { KeptPart } from './kept-part.ts';
import type { AuthorizerSettings, PolicyText } from './messages.ts';
import { needsRestart, type Policy } from './policy.ts';

/** A policy with what Envoy gets of it. */
export interface Compiled extends EdgeConfig {
  readonly policy: Policy;
}

/** Besides the checks that a policy's routes may still be waiting for: how long it is remembered after its end. */
const REMEMBERED_MS = 10_000;

/** `envoyConfig`: where the authorizer writes Envoy's filters. @throws {GenerateError} */
export function compile(policy: Policy, envoyConfig: string): Compiled {
  const caFile = caBundle();
  const options = { policy: policy.id, envoyConfig, ...(caFile === undefined ? {} : { caFile }) };
  return { policy, config: policy.config, discovery: generateDiscovery(policy.config, options) };
}

/** `envoyConfig`: undefined where no Envoy of `up` reads filters. */
export function judgeBy(
  current: Policy,
  named: readonly Policy[],
  envoyConfig: string | undefined,
): AuthorizerSettings {
  const textOf = ({ id, file, text }: PolicyText): PolicyText => ({ id, file, text });
  return { part: 'authorizer', current: textOf(current), named: named.map(textOf), envoyConfig };
}

export interface ReloadParts {
  readonly authorizer: Pick<KeptPart<AuthorizerSettings>, 'configure'>;
  /** Undefined where the authorizer runs alone: nothing else follows the file then. */
  readonly envoy:
    | {
        readonly part: Pick<EdgePart, 'apply' | 'forget'>;
        /** @returns why Envoy would not take this bootstrap. */
        readonly validate: (text: string) => Promise<string | undefined>;
      }
    | undefined;
  readonly development: {
    /** What the policy needs and nobody serves. @throws {UserError} */
    start(config: Config, must: boolean): Promise<void>;
    /** Tells those that run. */
    configure(config: Config): Promise<void>;
  };
  readonly journal: Journal;
  /** Where the authorizer writes Envoy's filters. */
  readonly envoyConfig: string;
}

export class Reload {
  readonly #parts: ReloadParts;
  /** Routes of these may still be waiting for a verdict. */
  readonly #former = new Map<string, { readonly compiled: Compiled; readonly timer: NodeJS.Timeout }>();
  #current: Compiled;
  #queue: Promise<void> = Promise.resolve();

  constructor(current: Compiled, parts: ReloadParts) {
    this.#current = current;
    this.#parts = parts;
  }

  /** `read` gives the policy, or throws what is wrong with it. Never rejects: it says how it came out. */
  apply(read: () => Policy): Promise<void> {
    return this.#oneAfterTheOther(async () => {
      const { journal } = this.#parts;
      try {
        const policy = read();
        if (policy.id === this.#current.policy.id) {
          journal.info(`${policy.file} is again what is in force`, { event: 'unchanged' });
          return;
        }
        const began = performance.now();
        const taken = await this.#change(policy);
        const rules = `${policy.config.rules.length} ${policy.config.rules.length === 1 ? 'rule' : 'rules'}`;
        journal.info(
          taken === 'now'
            ? `${policy.file} is in force (${rules})`
            : `${policy.file} is in force (${rules}) once Envoy runs again`,
          { event: 'applied', data: { policy: policy.id, ms: Math.round(performance.now() - began) } },
        );
      } catch (error) {
        journal.error(`${explain(error)}\nThe old rules stay.`, {
          event: 'refused',
          ...(error instanceof ConfigError ? { data: { faults: error.faults } } : {}),
        });
      }
    });
  }

  /** Nothing more is forgotten: everything ends. */
  stop(): void {
    for (const { timer } of this.#former.values()) clearTimeout(timer);
  }

  async #change(policy: Policy): Promise<'now' | 'later'> {
    const { authorizer, envoy, development, envoyConfig } = this.#parts;
    const restart = needsRestart(this.#current.config, policy.config);
    if (restart !== undefined) throw new UserError(`${policy.file}: ${restart}`);
    const next = compile(policy, envoyConfig);
    if (!envoy) {
      await authorizer.configure(judgeBy(policy, [], undefined));
      this.#current = next;
      return 'now';
    }
    await validate(envoy.validate, policy);
    await development.start(policy.config, false);
    const before = this.#current;
    const former = () => [...this.#former.values()].map((one) => one.compiled.policy);
    await authorizer.configure(judgeBy(before.policy, [before.policy, ...former(), policy], envoyConfig));
    let taken: 'now' | 'later';
    try {
      taken = await envoy.part.apply(next);
    } catch (error) {
      await authorizer.configure(judgeBy(before.policy, [before.policy, ...former()], envoyConfig));
      throw error;
    }
    this.#current = next;
    this.#retire(before);
    this.#forgetTimer(policy.id);
    await authorizer.configure(judgeBy(policy, [policy, ...former()], envoyConfig));
    // Only now: a file that is refused must not have changed them.
    await development.configure(policy.config);
    return taken;
  }

  #retire(compiled: Compiled): void {
    const { id, config } = compiled.policy;
    this.#forgetTimer(id);
    // Two waits of a check, each of two calls to Ory: the generated Envoy asks again once.
    const afterMs = 4 * config.oryTimeoutMs + REMEMBERED_MS;
    const timer = setTimeout(() => void this.#oneAfterTheOther(() => this.#forget(id)), afterMs).unref();
    this.#former.set(id, { compiled, timer });
  }

  #forgetTimer(id: string): void {
    clearTimeout(this.#former.get(id)?.timer);
    this.#former.delete(id);
  }

  async #forget(id: string): Promise<void> {
    const { authorizer, envoy, journal, envoyConfig } = this.#parts;
    if (!this.#former.delete(id)) return;
    const former = [...this.#former.values()].map((one) => one.compiled);
    try {
      await envoy?.part.forget(former);
      const { policy } = this.#current;
      await authorizer.configure(judgeBy(policy, [policy, ...former.map((one) => one.policy)], envoyConfig));
    } catch (error) {
      // More is known than is needed: no route names it.
      journal.warn(`the rules of before could not be forgotten: ${explain(error)}`, { event: 'kept' });
    }
  }

  #oneAfterTheOther(work: () => Promise<void>): Promise<void> {
    // Whatever became of the one before.
    this.#queue = this.#queue.catch(() => {}).then(work);
    return this.#queue;
  }
}

/** @throws {UserError} with Envoy's words: most faults never reach the one that runs. */
async function validate(ask: (text: string) => Promise<string | undefined>, policy: Policy): Promise<void> {
  const caFile = caBundle();
  const why = await ask(
    generateEnvoy(policy.config, { part: 'bootstrap', ...(caFile === undefined ? {} : { caFile }) }),
  );
  if (why !== undefined) throw new UserError(`${policy.file}: ${why}`);
}

function explain(error: unknown): string {
  if (error instanceof ConfigError || error instanceof GenerateError || error instanceof UserError)
    return error.message;
  if (error instanceof PushRejectedError) return `Envoy refused it: ${error.message}`;
  return `this is a fault of ory-envoy itself: ${error instanceof Error ? error.stack : error}`;
}
