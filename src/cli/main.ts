#!/usr/bin/env node
// The command. It checks the version of Node before it imports anything that an old one cannot read.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `ory-envoy needs Node 22.19 or newer; this is Node ${process.versions.node}. Install Node 24 (npm install node@24 works).\n`,
  );
  process.exitCode = 2;
} else {
  const args = process.argv.slice(2);
  // Before anything that takes long is loaded: whoever changes their mind at once has not met an error.
  if (args[0] === 'up') void (await import('./signal.ts')).nextSignal();
  const { run } = await import('./program.ts');
  process.exitCode = await run(args);
}

export {};
