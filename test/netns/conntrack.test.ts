import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Exec, realExec } from '../../src/host/index.ts'
import { loadLibc, NETLINK_NETFILTER, openNetlink } from '../../src/host/native/index.ts'
import type { IPFamily } from '../../src/ip/index.ts'
import { type ConntrackHarness, conntrackConformance } from '../../src/kernel/conntrack/conntrack.conformance.ts'
import {
  type Conntrack,
  type ConntrackEntry,
  createConntrackTool,
  createNetlinkConntrack,
  type FlowEnd,
  openConntrack,
} from '../../src/kernel/conntrack/index.ts'
import { writeCreation } from '../../src/kernel/conntrack/testing/index.ts'
import { acknowledgementOf, NetlinkWriter, parseMessages } from '../../src/kernel/netlink/index.ts'
import { type FlowAgent, startFlowAgent } from './flow-agents.ts'
import { canOpenLab } from './lab.ts'

const libc = await loadLibc()
const end = (address: string, port: number): FlowEnd => ({ address, port })

/** One namespace where everything is on loopback: a client, two endpoints, and two service addresses that nobody has but the rules. */
const WORLD = {
  IPv4: { of: (last: number) => `10.77.0.${last}`, length: 32, table: 'ip', client: '10.77.0.1' },
  IPv6: { of: (last: number) => `fd77::${last}`, length: 128, table: 'ip6', client: 'fd77::1' },
} as const
const servicesOf = (family: IPFamily) => [end(WORLD[family].of(10), 53), end(WORLD[family].of(11), 54)] as const
const endpointsOf = (family: IPFamily) => [end(WORLD[family].of(2), 5353), end(WORLD[family].of(3), 5353)] as const

const namespace = `ct${process.pid}`
const inNamespace: Exec = (argv, options) => realExec(['ip', 'netns', 'exec', namespace, ...argv], options)
let agent: FlowAgent

const buildWorld = async (): Promise<void> => {
  await realExec(['ip', 'netns', 'add', namespace])
  await inNamespace(['ip', 'link', 'set', 'lo', 'up'])
  for (const { of, length } of Object.values(WORLD)) {
    for (const last of [1, 2, 3, 10, 11]) await inNamespace(['ip', 'addr', 'add', `${of(last)}/${length}`, 'dev', 'lo'])
  }
  agent = await startFlowAgent(namespace)
  for (const family of ['IPv4', 'IPv6'] as const) {
    for (const at of endpointsOf(family)) await agent.ask({ op: 'serve', at })
  }
}

const written = ({ address, port }: FlowEnd): string => `${address.includes(':') ? `[${address}]` : address}:${port}`

const rulesTo = (family: IPFamily, to: FlowEnd | undefined): string => {
  const { table } = WORLD[family]
  const rules = servicesOf(family).flatMap(({ address, port }) =>
    to === undefined
      ? []
      : ['udp', 'tcp'].map((protocol) => `${table} daddr ${address} ${protocol} dport ${port} dnat to ${written(to)}`),
  )
  return [
    `table ${table} flows {}`,
    `delete table ${table} flows`,
    `add table ${table} flows`,
    `add chain ${table} flows output { type nat hook output priority -100; policy accept; }`,
    // Without any rule that asks for it the kernel tracks nothing.
    `add rule ${table} flows output ct state invalid drop`,
    ...rules.map((rule) => `add rule ${table} flows output ${rule}`),
    '',
  ].join('\n')
}

const openKernel = (family: IPFamily, create: () => Conntrack) => async (): Promise<ConntrackHarness> => {
  const { client } = WORLD[family]
  const [service, other] = servicesOf(family)
  const route = async (to: FlowEnd | undefined): Promise<void> => {
    await inNamespace(['nft', '--file', '-'], { stdin: rulesTo(family, to) })
  }
  await route(undefined)
  await inNamespace(['conntrack', '-F'])
  return {
    conntrack: create(),
    family,
    client,
    service,
    other,
    endpoints: endpointsOf(family),
    route,
    async send(from, { to = service, protocol = 'UDP' } = {}) {
      const answer = await agent.ask({ op: protocol === 'TCP' ? 'tcp' : 'udp', from: end(client, from), to })
      return typeof answer === 'object' ? answer.from : undefined
    },
    close: async () => {
      await agent.ask({ op: 'reset' })
    },
  }
}

// Without root there are no namespaces to make; the fake passes the same table in src/kernel/conntrack.
describe.skipIf(!canOpenLab)('conntrack of the kernel', () => {
  beforeAll(buildWorld)
  afterAll(async () => {
    await agent?.stop()
    await realExec(['ip', 'netns', 'del', namespace])
  })

  const netlink = (): Conntrack => {
    if ('missing' in libc) throw new Error(libc.missing)
    return createNetlinkConntrack({ libc, namespace: `/run/netns/${namespace}` })
  }
  const tool = (): Conntrack => createConntrackTool(inNamespace)
  for (const family of ['IPv4', 'IPv6'] as const) {
    conntrackConformance(`the tool, ${family}`, openKernel(family, tool))
    describe.skipIf('missing' in libc)('in process', () => {
      conntrackConformance(`netlink, ${family}`, openKernel(family, netlink))
    })
  }

  describe.skipIf('missing' in libc)('with entries that no packet made', () => {
    const [service] = servicesOf('IPv4')
    const entry = (index: number, rest: Partial<ConntrackEntry> = {}) => {
      const source = end(`10.78.${index >> 8}.${index & 255}`, 4000)
      return {
        family: 'IPv4',
        protocol: 'UDP',
        original: { source, destination: service },
        reply: { source: endpointsOf('IPv4')[0], destination: source },
        mark: 0,
        timeoutSeconds: 600,
        ...rest,
      } as const
    }
    const create = async (...entries: readonly ReturnType<typeof entry>[]): Promise<void> => {
      if ('missing' in libc) throw new Error(libc.missing)
      const socket = openNetlink(libc, NETLINK_NETFILTER, { namespace: `/run/netns/${namespace}` })
      const writer = new NetlinkWriter()
      for (const [index, each] of entries.entries()) {
        writer.reset()
        writeCreation(writer, each, index)
        await socket.send(writer.written())
        const [answer] = parseMessages(await socket.receive()).map(acknowledgementOf)
        if (answer?.errno !== 0) throw new Error(`entry ${index}: errno ${answer?.errno}`)
      }
      socket.close()
    }

    it.each([
      ['netlink', netlink],
      ['the tool', tool],
    ])('lists and removes SCTP by %s', async (_name, open) => {
      await inNamespace(['conntrack', '-F'])
      await create(entry(1), entry(1, { protocol: 'SCTP' }))
      const flows = await open().list({ family: 'IPv4', protocol: 'SCTP', destinations: [service] })
      expect(flows).toMatchObject([{ protocol: 'SCTP', reply: entry(1).reply }])
      expect(await open().remove(flows)).toBe(1)
      expect(await open().list({ family: 'IPv4', protocol: 'UDP' })).toHaveLength(1)
    })
    it.each([
      ['netlink', netlink],
      ['the tool', tool],
    ])('leaves other zones alone by %s', async (_name, open) => {
      await inNamespace(['conntrack', '-F'])
      await create(entry(1))
      const addresses = ['-s', '10.78.0.1', '-d', service.address, '-r', '10.77.0.2', '-q', '10.78.0.1']
      const ports = ['--sport', '4000', '--dport', '53', '--reply-port-src', '5353', '--reply-port-dst', '4000']
      await inNamespace(['conntrack', '-I', '-p', 'udp', ...addresses, ...ports, '-t', '600', '-w', '5'])
      const flows = await open().list({ family: 'IPv4', protocol: 'UDP' })
      expect(flows).toHaveLength(1)
      expect(await open().remove(flows)).toBe(1)
      expect((await inNamespace(['conntrack', '-L', '-w', '5'])).stdout).toContain('zone=5')
    })
    it('is that of the namespace that it is opened for', async () => {
      await inNamespace(['conntrack', '-F'])
      await create(entry(1))
      const opened = await openConntrack({ libc, exec: inNamespace, namespace: `/run/netns/${namespace}` })
      if ('missing' in opened) throw new Error(opened.missing)
      expect(opened.by).toBe('netlink')
      expect(await opened.conntrack.list({ family: 'IPv4', protocol: 'UDP', destinations: [service] })).toHaveLength(1)
    })
    it('removes more entries than are asked at once', async () => {
      await inNamespace(['conntrack', '-F'])
      await create(...Array.from({ length: 1_201 }, (_, index) => entry(index)))
      const flows = await netlink().list({ family: 'IPv4', protocol: 'UDP', destinations: [service] })
      expect(flows).toHaveLength(1_201)
      expect(await netlink().remove(flows)).toBe(1_201)
      expect(await netlink().list({ family: 'IPv4', protocol: 'UDP' })).toEqual([])
    })
  })
})
