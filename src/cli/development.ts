// What `up` adds for development: a policy where there is no file, a development Ory and a demo application where the
// policy leads to them and nothing answers there. Starts processes, asks loopback ports.
import type { Config } from '../config/config.ts';
import { answers } from './up/answers.ts';
import type { Journal } from './up/journal.ts';
import type { AppSettings, Facts, OrySettings } from './up/messages.ts';
import { type NodePart, startNodePart } from './up/node-part.ts';
import { Part } from './up/part.ts';
import { partEvents } from './up/part-events.ts';

const ORY_PORT = 4455;
const APP_PORT = 4456;

/** A whole file: `up --print-config` shows it, and it is there to be edited. */
export const DEVELOPMENT_POLICY = `# What \`ory-envoy up\` does where there is no ory-envoy.yaml. Save it as ory-envoy.yaml, start \`up\`, and edit it:
# a change is in force as soon as it is saved.
ory:
  url: http://127.0.0.1:${ORY_PORT}            # the development Ory, which up starts where nothing answers there
tokens:
  audiences: [http://127.0.0.1:8080]
rules:                                   # first match wins; no match is a denial
  - name: public
    match: { path: "/public/**" }
    allow: anyone
  - name: api
    match: { path: "/api/**" }
    require: { token: {} }
  - name: app
    match: { path: "/**" }
    require: { session: {} }
    unauthenticated: redirect            # a browser goes to the login
edge:
  listen: 127.0.0.1:8080
  upstream: http://127.0.0.1:${APP_PORT}       # the demo application, likewise
`;

export class Development {
  readonly #journal: Journal;
  #ory: Part<NodePart<OrySettings>> | undefined;
  #app: Part<NodePart<AppSettings>> | undefined;
  #appSettings: AppSettings | undefined;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /**
   * Starts what the configuration leads to and nobody serves, and tells what runs of the change. `must`: start it even
   * where something answers, so that a port in use is an error and not somebody else's Ory.
   * @throws {UserError} where a port is taken.
   */
  async serve(config: Config, must: boolean): Promise<void> {
    const ory = `http://127.0.0.1:${ORY_PORT}`;
    const app = `http://127.0.0.1:${APP_PORT}`;
    if (!this.#ory && leadsToOry(config, ory) && (must || !(await answers(new URL(ory))))) await this.#startOry(config);
    const leadsToApp = [...config.edge.upstreams.values()].some(({ url }) => url.origin === app);
    if (this.#app) await this.#changeApp(appSettings(config, ory));
    else if (leadsToApp && (must || !(await answers(new URL(app))))) await this.#startApp(appSettings(config, ory));
  }

  /** What the development Ory says of itself; undefined where it does not run. */
  get ory(): { readonly url: string; readonly facts: Facts } | undefined {
    const running = this.#ory?.running;
    return running && { url: `http://127.0.0.1:${ORY_PORT}`, facts: running.facts };
  }

  async stop(): Promise<void> {
    await Promise.all([this.#app?.stop(), this.#ory?.stop()]);
  }

  async #startOry(config: Config): Promise<void> {
    const settings: OrySettings = { part: 'ory', port: ORY_PORT, audience: audiencesOf(config) };
    const part = new Part({
      start: (signal) => startNodePart(settings, { signal, onLine: (line) => this.#journal.line('ory', line) }),
      events: partEvents('ory', this.#journal),
    });
    this.#ory = part;
    await part.start().catch((error: unknown) => {
      this.#ory = undefined;
      throw error;
    });
  }

  async #startApp(settings: AppSettings): Promise<void> {
    this.#appSettings = settings;
    const part = new Part({
      start: (signal) =>
        startNodePart(this.#appSettings ?? settings, { signal, onLine: (line) => this.#journal.line('app', line) }),
      events: partEvents('app', this.#journal),
    });
    this.#app = part;
    await part.start().catch((error: unknown) => {
      this.#app = undefined;
      throw error;
    });
  }

  async #changeApp(settings: AppSettings): Promise<void> {
    this.#appSettings = settings;
    // Where it is just being started again, it begins with them.
    await this.#app?.running?.configure(settings).catch(() => {});
  }
}

function leadsToOry({ sessions, tokens }: Config, origin: string): boolean {
  return [sessions?.kratosUrl, tokens?.jwksUrl].some((url) => url !== undefined && new URL(url).origin === origin);
}

function audiencesOf({ rules, edge }: Config): string[] {
  const wanted = rules.flatMap(({ access }) =>
    access.kind === 'anyone' ? [] : access.anyOf.flatMap((one) => (one.kind === 'token' ? one.audiences : [])),
  );
  return [...new Set([edge.publicUrl, ...wanted])];
}

function appSettings({ sessions, edge, identityHeaders }: Config, ory: string): AppSettings {
  const back = encodeURIComponent(`${edge.publicUrl}/`);
  return {
    part: 'app',
    port: APP_PORT,
    loginUrl: `${sessions?.kratosUrl ?? ory}/self-service/login/browser?return_to=${back}`,
    logoutUrl: `${sessions?.kratosUrl ?? ory}/logout?return_to=${back}`,
    identityHeaders: identityHeaders.map((header) => header.name),
  };
}

/** Where to click, whom to log in as, what to type. */
export function hints(config: Config, ory: { readonly url: string; readonly facts: Facts }): string {
  const { users = [], client } = ory.facts;
  const edge = config.edge.publicUrl;
  const [user] = users;
  const people = users.map(({ email, password }) => `  ${email}  password ${password}`).join('\n');
  const login = [
    `  FLOW=$(curl -s ${ory.url}/self-service/login/api | sed 's/.*"action":"\\([^"]*\\)".*/\\1/')`,
    `  SESSION=$(curl -s "$FLOW" -H 'content-type: application/json' -d '{"method":"password","identifier":"${user?.email}","password":"${user?.password}"}' | sed 's/.*"session_token":"\\([^"]*\\)".*/\\1/')`,
    `  curl -i ${edge}/ -H "X-Session-Token: $SESSION"`,
  ].join('\n');
  const token = [
    `  TOKEN=$(curl -s -u ${client?.id}:${client?.secret} ${ory.url}/oauth2/token -d grant_type=client_credentials -d audience=${edge} | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`,
    `  curl -i ${edge}/api/ -H "Authorization: Bearer $TOKEN"`,
  ].join('\n');
  return `Open ${edge}/ in a browser and log in as one of these:\n${people}\n\nOr from a shell, refused, with a session, with a token:\n  curl -i ${edge}/\n\n${login}\n\n${token}`;
}
