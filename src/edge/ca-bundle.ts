// Where this machine keeps the certificates that it trusts. Reads the file system.
import { existsSync } from 'node:fs';

/** Debian, Alpine and Envoy's own image; Fedora and RHEL; openSUSE; macOS and BSD. */
const PLACES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** `$SSL_CERT_FILE`, else the first of the usual places that exists; undefined without one. */
export function caBundle(env: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  return env['SSL_CERT_FILE'] || PLACES.find((place) => existsSync(place));
}
