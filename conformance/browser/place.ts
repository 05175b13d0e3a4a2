// A place that a browser walks through: an edge with the demo application behind it, and an Ory to log in at. Starts
// servers and a real Envoy.
import { startDemoApp } from '../../src/dev/app.ts';
import type { Listening } from '../../src/dev/listen.ts';
import { startLoginUi } from '../../src/dev/login-ui.ts';
import { type Edge, startEdge } from '../edge/rig/edge.ts';
import { startDevelopmentOry } from '../ory/dev.ts';
import type { Ory } from '../ory/ory.ts';
import { startRealOry } from '../ory/real.ts';
import { freePorts } from '../ports.ts';

export interface PlaceOptions {
  readonly ory: 'the development Ory' | 'the real Kratos';
  /** Whether Ory is on the edge's own origin (`edge.ory_path`). */
  readonly onOrigin: boolean;
  readonly transport: 'http' | 'grpc';
  /** What Kratos itself asks of a session. Default: `highest_available`. */
  readonly requiredAal?: 'aal1' | 'highest_available';
}

export interface Place {
  readonly url: string;
  readonly ory: Ory;
  readonly edge: Edge;
  /** Where a browser begins and ends: `/self-service/…` is below it. */
  readonly oryUrl: string;
  /** A page of another origin, which the rule `api` names in its `cors`. */
  readonly pageUrl: string;
  close(): Promise<void>;
}

const ORY_PATH = '/.ory';
/** Ages are short, so that a walk sees them pass. */
const MORE_THAN_A_SESSION = [
  ['careful', { aal: 'aal2' }],
  ['recent', { max_age: '3s' }],
  ['both', { aal: 'aal2', max_age: '3s' }],
] as const;

export async function startPlace({ ory: kind, onOrigin, transport, requiredAal }: PlaceOptions): Promise<Place> {
  const closing: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const end of closing.splice(0).reverse()) await end();
  };
  try {
    const [edgePort = 0, uiPort = 0] = await freePorts(2);
    const url = `http://127.0.0.1:${edgePort}`;
    const uiUrl = `http://127.0.0.1:${uiPort}`;
    const real = kind === 'the real Kratos';
    const asked = requiredAal === undefined ? {} : { requiredAal };
    const ory = real
      ? await startRealOry({
          returnUrls: [url],
          loginUiUrl: uiUrl,
          ...(onOrigin ? { kratosBaseUrl: `${url}${ORY_PATH}/` } : {}),
          ...asked,
        })
      : await startDevelopmentOry(asked);
    closing.push(() => ory.close());
    const oryUrl = onOrigin ? `${url}${ORY_PATH}` : ory.kratos.publicUrl;
    if (real)
      closing.push(closerOf(await startLoginUi({ port: uiPort, kratosUrl: ory.kratos.publicUrl, browserUrl: oryUrl })));
    const accountUrl = real ? uiUrl : `${oryUrl}/ui`;
    const app = await startDemoApp({
      port: 0,
      loginUrl: `${oryUrl}/self-service/login/browser?return_to=${encodeURIComponent(`${url}/`)}`,
      logoutUrl: `${accountUrl}/logout?return_to=${encodeURIComponent(`${url}/open`)}`,
      settingsUrl: `${oryUrl}/self-service/settings/browser`,
      identityHeaders: ['X-User-Id', 'X-User-Email'],
      rules: [
        { name: 'open', href: '/open', note: 'anyone' },
        { name: 'app', href: '/deep/link?x=1', note: 'whoever is logged in' },
      ],
    });
    closing.push(closerOf(app));
    const otherPage = await startDemoApp({ port: 0, loginUrl: oryUrl, logoutUrl: oryUrl, identityHeaders: [] });
    closing.push(closerOf(otherPage));
    const edge = await startEdge(
      {
        ory: {
          kratos: { public_url: ory.kratos.publicUrl },
          ...(onOrigin ? {} : { login_url: `${oryUrl}/self-service/login/browser` }),
        },
        rules: [
          { name: 'open', match: { path: '/open' }, allow: 'anyone', identify: true },
          { name: 'api', match: { path: '/api/**' }, require: { session: {} }, cors: { origins: [otherPage.url] } },
          ...MORE_THAN_A_SESSION.map(([name, session]) => ({
            name,
            match: { path: `/${name}/**` },
            require: { session },
            unauthenticated: 'redirect',
          })),
          { name: 'app', match: { path: '/**' }, require: { session: {} }, unauthenticated: 'redirect' },
        ],
        edge: {
          listen: `127.0.0.1:${edgePort}`,
          public_url: url,
          upstreams: { app: app.url },
          ...(onOrigin ? { ory_path: ORY_PATH } : {}),
        },
      },
      transport,
    );
    closing.push(() => edge.close());
    return { url, ory, edge, oryUrl, pageUrl: otherPage.url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function closerOf(listening: Listening): () => Promise<void> {
  return () => listening.close();
}
