// Some registries lack a package's builds for other platforms; npm then leaves them out of the
// lock file and `npm ci` refuses it. This adds a stub for each, so that the lock file is complete.
// Run after every `npm install` that changes dependencies: node scripts/complete-lock.mjs
import { readFileSync, writeFileSync } from "node:fs";

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
for (const entry of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`;
    const [, os, cpu] = name.match(/(android|darwin|linux|win32|freebsd)-(arm64|x64|ia32)/) ?? [];
    if (os && !lock.packages[path]?.version)
      lock.packages[path] = { version, dev: entry.dev, optional: true, os: [os], cpu: [cpu] };
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`);
