/**
 * Runs every suite: installs the Debian packages that the tests drive (as root only), builds, runs vitest project by project,
 * and ends with the line "N passed, N failed, N skipped".
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PACKAGES: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  curl: 'curl',
  dig: 'bind9-dnsutils',
  openssl: 'openssl',
  nft: 'nftables',
  'iptables-legacy': 'iptables',
  ipset: 'ipset',
  ipvsadm: 'ipvsadm',
  conntrack: 'conntrack',
  'qemu-system-x86_64': 'qemu-system-x86',
  busybox: 'busybox-static',
  modprobe: 'kmod',
  cpio: 'cpio',
  setpriv: 'util-linux',
  ps: 'procps',
  pebble: 'pebble',
  nginx: 'nginx',
  h2load: 'nghttp2-client',
}
const PROJECTS = ['unit', 'feature', 'kubectl', 'netns', 'vm']
/** CI ends after 30 minutes; a machine without acceleration takes 6 for the virtual machine, and twice that when it is busy. */
const LATEST_START_MS: Readonly<Record<string, number>> = { vm: 16 * 60_000 }

interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

const main = (): number => {
  installMissing()
  if (run(process.execPath, ['scripts/build.mjs']) !== 0) return finish({ passed: 0, failed: 1, skipped: 0 })
  const folder = mkdtempSync(join(tmpdir(), 'fairway-test-all-'))
  try {
    const tallies = PROJECTS.map((project) => runProject(project, join(folder, `${project}.json`)))
    return finish(tallies.reduce(add, { passed: 0, failed: 0, skipped: 0 }))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const installMissing = (): void => {
  const missing = Object.keys(PACKAGES).filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0)
  if (missing.length === 0) return
  const names = [...new Set(missing.map((tool) => PACKAGES[tool] ?? tool))]
  if (process.getuid?.() !== 0) {
    console.log(`test:all: not root, so these are not installed and their tests will skip: ${names.join(' ')}`)
    return
  }
  console.log(`test:all: installing ${names.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  spawnSync('apt-get', ['update', '-q'], { stdio: 'ignore', env })
  spawnSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...names], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env,
  })
}

const runProject = (project: string, output: string): Tally => {
  const latest = process.env['CI'] === undefined ? undefined : LATEST_START_MS[project]
  if (latest !== undefined && performance.now() > latest) {
    console.log(
      `\n== ${project}: skipped, the suites before took ${Math.round(performance.now() / 60_000)} minutes of CI's 30; run: npx vitest run --project ${project}`,
    )
    return { passed: 0, failed: 0, skipped: 1 }
  }
  console.log(`\n== ${project}`)
  const vitest = 'node_modules/vitest/vitest.mjs'
  const status = run(process.execPath, [
    vitest,
    'run',
    '--project',
    project,
    '--passWithNoTests',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${output}`,
  ])
  const tally = readTally(output)
  // A suite that could not be loaded counts no test, yet it failed.
  return status !== 0 && tally.failed === 0 ? { ...tally, failed: 1 } : tally
}

const readTally = (path: string): Tally => {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8')) as Record<string, number>
    return {
      passed: report['numPassedTests'] ?? 0,
      failed: report['numFailedTests'] ?? 0,
      skipped: (report['numPendingTests'] ?? 0) + (report['numTodoTests'] ?? 0),
    }
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }
  }
}

const add = (a: Tally, b: Tally): Tally => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
})

const run = (command: string, args: readonly string[]): number =>
  spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] }).status ?? 1

const finish = (tally: Tally): number => {
  console.log(`\n${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`)
  return tally.failed === 0 && tally.passed > 0 ? 0 : 1
}

process.exitCode = main()
