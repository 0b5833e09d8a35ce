import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { createLogger, errorMessage, realClock, UserError } from '../../base/index.ts'
import { realExec } from '../../host/index.ts'
import { loadLibc } from '../../host/native/index.ts'
import {
  cleanupModes,
  holderOfSharedNames,
  type Problem,
  type ProxySettings,
  readConfiguration,
  readFlags,
  resolveSettings,
  sharesNames,
} from '../../proxy/index.ts'
import { type GivenFlags, givenFlags } from '../proxy/flags.ts'
import { growSlowly, staySmall } from '../proxy/heap.ts'
import { localAddressesOf } from '../proxy/machine.ts'
import { runProxy } from '../proxy/run.ts'
import { untilSignalled } from '../until-signalled.ts'

const DEFAULT_TABLE = 'fairway'

/** `fairway proxy`: the Service proxy of one node against any API server, in the foreground until SIGINT or SIGTERM; then rules stay. */
export const proxy = async (given: GivenFlags): Promise<void> => {
  const settings = await readSettings(given)
  const tableName = tableNameOf(given)
  const log = createLogger({ level: settings.logLevel })
  const libc = await loadLibc()
  const common = { exec: realExec, ...('missing' in libc ? {} : { libc }), clock: realClock, log, tableName }
  if (given['cleanup'] === true) {
    const localAddresses = await localAddressesOf(realExec, tableName)
    return removeAll({
      ...common,
      serviceCIDRs: settings.serviceCIDRs ?? [],
      ...(settings.ebpfCgroup === undefined ? {} : { ebpf: { cgroup: settings.ebpfCgroup } }),
      ...(localAddresses === undefined ? {} : { localAddresses }),
    })
  }
  growSlowly()
  const onReady = (mode: string, reason: string): void => {
    staySmall()
    console.log(`ready. node ${settings.nodeName}, mode ${mode} (${reason})`)
  }
  await untilSignalled((signal) => runProxy({ ...common, settings, onReady }, signal))
}

/** Throws `UserError` with all problems of the file and of the flags in one line; warnings are printed. */
const readSettings = async (given: GivenFlags): Promise<ProxySettings> => {
  const file = await readFileFlag(given['config'])
  const flags = readFlags(givenFlags(given))
  const { settings, problems, warnings } = resolveSettings([...(file ? [file.values] : []), flags.values], hostname())
  for (const warning of [...(file?.warnings ?? []), ...flags.warnings, ...warnings]) console.error(`warning: ${warning}`)
  refuse([...(file?.problems ?? []), ...flags.problems, ...problems])
  return settings
}

const readFileFlag = async (path: unknown): Promise<ReturnType<typeof readConfiguration> | undefined> => {
  if (typeof path !== 'string') return undefined
  try {
    return readConfiguration(await readFile(path, 'utf8'), path)
  } catch (error) {
    throw new UserError(`--config: ${path} can't be read: ${errorMessage(error)}`, { cause: error })
  }
}

const refuse = (problems: readonly Problem[]): void => {
  if (problems.length === 0) return
  const lines = new Set(problems.map(({ where, reason }) => `${where} ${reason}`))
  throw new UserError([...lines].join('; '), { exitCode: 2 })
}

/** The names of tables, sets and devices in the kernel begin with it; devices have 15 characters. */
const tableNameOf = ({ tableName = DEFAULT_TABLE }: GivenFlags): string => {
  if (typeof tableName !== 'string' || !/^[a-z][a-z0-9-]{0,30}$/.test(tableName)) {
    throw new UserError(`--table-name: "${String(tableName)}" is not a name of at most 31 lower-case letters, digits and "-"`, {
      exitCode: 2,
    })
  }
  return tableName
}

const removeAll = async (deps: Parameters<typeof cleanupModes>[0]): Promise<void> => {
  const holder = await holderOfSharedNames()
  const report = await cleanupModes(deps, undefined, (mode) => holder === undefined || !sharesNames(mode))
  const { removed, skipped } = report
  const inUse = holder === undefined ? [] : [`rules of iptables and ipvs: another fairway (${holder}) uses them; end it first`]
  const failed = [...report.failed, ...inUse]
  for (const what of removed) console.log(`removed ${what}`)
  for (const what of skipped) console.error(`not looked for: ${what}`)
  if (failed.length > 0) throw new UserError(`not removed: ${failed.join('; ')}`)
  if (removed.length === 0) console.log('nothing left to remove')
}
