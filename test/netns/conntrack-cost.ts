/**
 * What a listing and a removal cost with 100,000 entries in the table, by netlink and by the tool: `node --import tsx test/netns/conntrack-cost.ts`, as root.
 * In a network namespace of its own. Prints a table in Markdown; src/kernel/conntrack/README.md has the last one.
 */
import { performance } from 'node:perf_hooks'
import { realExec } from '../../src/host/index.ts'
import { type Libc, loadLibc, NETLINK_NETFILTER, openNetlink } from '../../src/host/native/index.ts'
import { type Conntrack, createConntrackTool, createNetlinkConntrack, type FlowEnd } from '../../src/kernel/conntrack/index.ts'
import { writeCreation } from '../../src/kernel/conntrack/testing/index.ts'
import { acknowledgementOf, NetlinkWriter, parseMessages } from '../../src/kernel/netlink/index.ts'

const ENTRIES = 100_000
const SERVICES = 1_000
const ROUNDS = 7
const AT_ONCE = 500
const namespace = `ctcost${process.pid}`
const path = `/run/netns/${namespace}`

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

const median = (values: readonly number[]): string => {
  const sorted = [...values].sort((a, b) => a - b)
  return `${(sorted[Math.floor(sorted.length / 2)] ?? 0).toFixed(1)} ms`
}

const main = async (libc: Libc): Promise<void> => {
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
      note(`list one Service's flows | ${name}`, listed.ms)
      note(
        `list a ClusterIP's and a NodePort's flows | ${name}`,
        (await time(() => conntrack.list({ ...base, destinations: twoServices }))).ms,
      )
      note(
        `list all flows of all Services | ${name}`,
        (await time(() => conntrack.list({ ...base, destinations: everyService }))).ms,
      )
      note(`list SCTP, of which there is none | ${name}`, (await time(() => conntrack.list({ ...base, protocol: 'SCTP' }))).ms)
      const removed = await time(() => conntrack.remove(listed.result.slice(0, 10)))
      if (removed.result !== 10) throw new Error(`${name}: ${removed.result} removed`)
      note(`remove 10 | ${name}`, removed.ms)
      await fill(libc, 0, ENTRIES)
    }
  }
  for (const [what, all] of times) console.log(`| ${what} | ${median(all)} |`)
}

const libc = await loadLibc()
if ('missing' in libc) throw new Error(libc.missing)
await realExec(['ip', 'netns', 'add', namespace])
try {
  await main(libc)
} finally {
  await realExec(['ip', 'netns', 'del', namespace])
}
