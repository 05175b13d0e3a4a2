// The targets that configuration is generated for, and the versions of each. No I/O.
import { GenerateError } from './generate-error.ts';

export const TARGETS = ['envoy', 'istio', 'envoy-gateway', 'oathkeeper'] as const;
export type Target = (typeof TARGETS)[number];

/** What is generated differs from version to version; the last one is the default. Others in between are not refused. */
export interface TargetVersions {
  readonly oldest: string;
  readonly newest: string;
  /** Whose numbers these are, in a sentence's words. */
  readonly of: string;
}

export const VERSIONS: Readonly<Record<Target, TargetVersions>> = {
  envoy: { of: 'Envoy', oldest: '1.38.2', newest: '1.40.0' },
  istio: { of: 'Istio', oldest: '1.29', newest: '1.31' },
  'envoy-gateway': { of: 'Envoy Gateway', oldest: '1.8', newest: '1.9' },
  oathkeeper: { of: 'Oathkeeper', oldest: '0.40', newest: '0.40' },
};

export function isTarget(name: string): name is Target {
  return (TARGETS as readonly string[]).includes(name);
}

/** Major, minor, patch. */
export type Version = readonly [number, number, number];

/** `--target-version`, or the newest. @throws {GenerateError} where it is no version, or none that is known. */
export function targetVersion(target: Target, wanted: string | undefined): Version {
  const { of, oldest, newest } = VERSIONS[target];
  if (wanted === undefined) return numbers(newest);
  const fix = `Give one from ${oldest} to ${newest}, as far as it is known.`;
  if (!/^v?\d{1,4}\.\d{1,4}(?:\.\d{1,4})?$/.test(wanted))
    throw new GenerateError(`--target-version ${wanted}: not a version. ${fix}`);
  const version = numbers(wanted);
  // A later patch of a known minor version has its fields.
  if (isBefore(version, numbers(oldest)) || isBefore(upToMinor(numbers(newest)), upToMinor(version)))
    throw new GenerateError(`--target-version ${wanted}: not a version of ${of} that this can write for. ${fix}`);
  return version;
}

/** Whether `version` comes before `other`. */
export function isBefore(version: Version, other: Version): boolean {
  for (let i = 0; i < 3; i++) {
    const difference = (version[i] ?? 0) - (other[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function upToMinor([major, minor]: Version): Version {
  return [major, minor, 0];
}

function numbers(text: string): Version {
  const [major = 0, minor = 0, patch = 0] = text.replace(/^v/, '').split('.').map(Number);
  return [major, minor, patch];
}
