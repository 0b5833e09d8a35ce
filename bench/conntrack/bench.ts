import { realExec } from '../../src/host/index.ts'
import { type Libc, loadLibc, NETLINK_NETFILTER, openNetlink } from '../../src/host/native/index.ts'
import { type Conntrack, createConntrackTool, createNetlinkConntrack, type FlowEnd } from '../../src/kernel/conntrack/index.ts'
import { writeCreation } from '../../src/kernel/conntrack/testing/index.ts'
import { acknowledgementOf, NetlinkWriter, parseMessages } from '../../src/kernel/netlink/index.ts'
import { median } from '../median.ts'
import type { Result } from '../result.ts'

const ENTRIES = 100_000
const SERVICES = 1_000
const ROUNDS = 7
const AT_ONCE = 500
const namespace = `ctcost${process.pid}`
const path = `/run/netns/${namespace}`

/** Listing and removing flows in a table of 100,000 entries, by netlink and by the tool, in turns, in a network namespace of its own. */
export const run = async (): Promise<readonly Result[]> => {
  const libc = await loadLibc()
  if ('missing' in libc) throw new Error(libc.missing)
  await realExec(['ip', 'netns', 'add', namespace])
  try {
    return await measure(libc)
  } finally {
    await realExec(['ip', 'netns', 'del', namespace])
  }
}

const serviceAt = (index: number): FlowEnd => ({ address: `10.96.${index >> 8}.${index & 255}`, port: 53 })
const flow = (index: number) => {
  const source = { address: `10.${1 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`, port: 4000 }
  const endpoint = { address: `10.200.0.${index % 250}`, port: 5353 }
  return {
    family: 'IPv4',
    protocol: 'UDP',
    original: { source, destination: serviceAt(index % SERVICES) },
    reply: { source: endpoint, destination: source },
    mark: 0,
    timeoutSeconds: 3_600,
  } as const
}

const fill = async (libc: Libc, from: number, to: number): Promise<void> => {
  const socket = openNetlink(libc, NETLINK_NETFILTER, { namespace: path })
  const writer = new NetlinkWriter(256 * 1024)
  for (let start = from; start < to; start += AT_ONCE) {
    const end = Math.min(start + AT_ONCE, to)
    writer.reset()
    for (let index = start; index < end; index++) writeCreation(writer, flow(index), index)
    await socket.send(writer.written())
    for (let left = end - start; left > 0; ) {
      for (const answer of parseMessages(await socket.receive()).map(acknowledgementOf)) if (answer !== undefined) left--
    }
  }
  socket.close()
}

const time = async <T>(act: () => Promise<T>): Promise<{ ms: number; result: T }> => {
  const start = performance.now()
  const result = await act()
  return { ms: performance.now() - start, result }
}

const measure = async (libc: Libc): Promise<readonly Result[]> => {
  await fill(libc, 0, ENTRIES)
  const ways: readonly (readonly [string, Conntrack])[] = [
    ['netlink', createNetlinkConntrack({ libc, namespace: path })],
    ['tool', createConntrackTool((argv, options) => realExec(['ip', 'netns', 'exec', namespace, ...argv], options))],
  ]
  const times = new Map<string, number[]>()
  const note = (what: string, ms: number): void => void times.set(what, [...(times.get(what) ?? []), ms])
  const base = { family: 'IPv4', protocol: 'UDP' } as const
  const everyService = Array.from({ length: SERVICES }, (_, index) => serviceAt(index))
  const twoServices = [serviceAt(7), { ...serviceAt(8), port: 30_053 }]
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, conntrack] of ways) {
      const listed = await time(() => conntrack.list({ ...base, destinations: [serviceAt(7)] }))
      if (listed.result.length !== ENTRIES / SERVICES) throw new Error(`${name}: ${listed.result.length} entries`)
      note(`${name}: list one Service's flows`, listed.ms)
      note(
        `${name}: list a ClusterIP's and a NodePort's flows`,
        (await time(() => conntrack.list({ ...base, destinations: twoServices }))).ms,
      )
      note(
        `${name}: list all flows of all Services`,
        (await time(() => conntrack.list({ ...base, destinations: everyService }))).ms,
      )
      note(`${name}: list SCTP, of which there is none`, (await time(() => conntrack.list({ ...base, protocol: 'SCTP' }))).ms)
      const removed = await time(() => conntrack.remove(listed.result.slice(0, 10)))
      if (removed.result !== 10) throw new Error(`${name}: ${removed.result} removed`)
      note(`${name}: remove 10`, removed.ms)
      await fill(libc, 0, ENTRIES)
    }
  }
  const results = [...times].map(([name, all]) => ({ name, value: median(all), unit: 'ms' }))
  const ratios = results
    .filter(({ name }) => name.startsWith('netlink: '))
    .flatMap(({ name, value }) => {
      const what = name.slice('netlink: '.length)
      const tool = results.find((each) => each.name === `tool: ${what}`)
      return tool === undefined ? [] : [{ name: `ratio of the tool to netlink: ${what}`, value: tool.value / value, unit: '×' }]
    })
  return [...results, ...ratios]
}
