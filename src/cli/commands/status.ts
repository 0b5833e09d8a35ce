import { watch } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { realClock, sleep, UserError } from '../../base/index.ts'
import { type InstanceStatus, readStatus } from '../../cluster/index.ts'
import { dataDirOf } from '../instance.ts'

export interface StatusOptions {
  readonly dataDir?: string
  readonly wait?: string
  readonly output: string
}

/** `fairway status`: exit code 0 when an instance runs and is ready, 1 when not. */
export const status = async (options: StatusOptions): Promise<void> => {
  const dataDir = dataDirOf(options)
  const found = await untilReady(dataDir, waitMs(options.wait))
  if (options.output === 'json') console.log(JSON.stringify(found ?? { ready: false, dataDir }, null, 2))
  else if (found) printStatus(found)
  if (!found) throw new UserError(`nothing runs on ${dataDir}; start it with "fairway up --data-dir ${dataDir}"`)
  if (!found.ready) process.exitCode = 1
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, '': 1000 }

const waitMs = (text: string | undefined): number => {
  if (text === undefined) return 0
  const [, digits, unit = ''] = /^(\d+)(ms|s|m)?$/.exec(text) ?? []
  if (digits === undefined) throw new UserError(`--wait: "${text}" is not a duration such as 60s`, { exitCode: 2 })
  return Number(digits) * (UNITS[unit] ?? 1000)
}

/** Looks again whenever something changes in the folder, until the instance is ready or the time is up. */
const untilReady = async (dataDir: string, limitMs: number): Promise<InstanceStatus | undefined> => {
  const found = await readStatus(dataDir)
  if (found?.ready || limitMs === 0) return found
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const limit = AbortSignal.timeout(limitMs)
  const watcher = watch(dataDir)
  try {
    for (;;) {
      const changed = new AbortController()
      watcher.once('change', () => changed.abort())
      const current = await readStatus(dataDir)
      if (current?.ready || limit.aborted) return current
      await sleep(realClock, limitMs, AbortSignal.any([limit, changed.signal]))
    }
  } finally {
    watcher.close()
  }
}

const printStatus = (found: InstanceStatus): void => {
  const rows: readonly (readonly [string, string])[] = [
    ['ready', found.ready ? 'yes' : 'no'],
    ['version', found.version],
    ['kubeconfig', found.kubeconfig],
    ['api', found.api],
    ['ingress', `${found.ingress.http}  ${found.ingress.https}`],
    ['dns', `${found.dns} (${found.dnsDomain})`],
    ['proxy mode', found.proxyMode],
    ['node', `${found.nodeName} (${found.nodeAddress}), pods on ${found.network}`],
    ...found.notes.map((note) => ['note', note] as const),
    ...found.substitutions.map(
      (s) => ['port', `${s.what}: ${s.address}:${s.port} is served on port ${s.substitute} (${s.reason})`] as const,
    ),
  ]
  for (const [name, value] of rows) console.log(`${name.padEnd(11)} ${value}`)
}
