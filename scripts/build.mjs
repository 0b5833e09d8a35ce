/** Compiles src/ to dist/ with plain tsc; incremental, so a second run costs a second. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
let tsc
try {
  tsc = require.resolve('typescript/lib/tsc.js')
} catch {
  console.error('build: the npm packages are not installed; run "npm ci" first')
  process.exit(1)
}
if (!existsSync('dist/.tsbuildinfo')) console.error('building (the first time takes some seconds)')
const result = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
if (result.status === 0 && existsSync('bin/fairway.js')) chmodSync('bin/fairway.js', 0o755)
process.exit(result.status ?? 1)
