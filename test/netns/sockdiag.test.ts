import { afterAll, beforeAll, describe } from 'vitest'
import { realExec } from '../../src/host/index.ts'
import { loadLibc } from '../../src/host/native/index.ts'
import { createNetlinkSockDiag, createSocketTool, type SockDiag, type SocketEnd } from '../../src/kernel/sockdiag/index.ts'
import { type SockDiagHarness, sockDiagConformance } from '../../src/kernel/sockdiag/sockdiag.conformance.ts'
import { type FlowAgent, startFlowAgent } from './flow-agents.ts'
import { canOpenLab } from './lab.ts'

const libc = await loadLibc()
const names = [`sda${process.pid}`, `sdb${process.pid}`] as const
const paths = [`/run/netns/${names[0]}`, `/run/netns/${names[1]}`] as const
const client = { IPv4: '10.77.0.1', IPv6: 'fd77::1' } as const
const remote = { IPv4: '10.77.0.2', IPv6: 'fd77::2' } as const
const agents = new Map<string, FlowAgent>()

/** Two namespaces with the same addresses on loopback; nobody answers at the remote ones. */
const buildWorld = async (): Promise<void> => {
  for (const [index, name] of names.entries()) {
    await realExec(['ip', 'netns', 'add', name])
    await realExec(['ip', '-n', name, 'link', 'set', 'lo', 'up'])
    for (const address of [client.IPv4, remote.IPv4])
      await realExec(['ip', '-n', name, 'addr', 'add', `${address}/32`, 'dev', 'lo'])
    for (const address of [client.IPv6, remote.IPv6])
      await realExec(['ip', '-n', name, 'addr', 'add', `${address}/128`, 'dev', 'lo'])
    agents.set(paths[index] ?? '', await startFlowAgent(name))
  }
}

const openKernel = (create: () => SockDiag) => async (): Promise<SockDiagHarness> => ({
  sockDiag: create(),
  namespaces: paths,
  client,
  remote,
  async open({ namespace, from: port, to, family, connects = true }) {
    const agent = agents.get(namespace)
    const isMapped = family === 'IPv6' && !to.address.includes(':')
    const end = (each: SocketEnd): SocketEnd => (isMapped ? { ...each, address: `::ffff:${each.address}` } : each)
    const ends = { from: end({ address: to.address.includes(':') ? client.IPv6 : client.IPv4, port }), to: end(to) }
    await agent?.ask({ op: 'open', ...ends, connects })
    return {
      isConnected: async () => (await agent?.ask({ op: 'is connected', ...ends })) === true,
      close: async () => void (await agent?.ask({ op: 'close', ...ends })),
    }
  },
  close: async () => {
    for (const agent of agents.values()) await agent.ask({ op: 'reset' })
  },
})

// Without root there are no namespaces to make; the fake passes the same table in src/kernel/sockdiag.
describe.skipIf(!canOpenLab)('UDP sockets of the kernel', () => {
  beforeAll(buildWorld)
  afterAll(async () => {
    for (const agent of agents.values()) await agent.stop()
    for (const name of names) await realExec(['ip', 'netns', 'del', name])
  })

  sockDiagConformance(
    'ss',
    openKernel(() => createSocketTool(realExec)),
  )
  describe.skipIf('missing' in libc)('in process', () => {
    sockDiagConformance(
      'netlink',
      openKernel(() => {
        if ('missing' in libc) throw new Error(libc.missing)
        return createNetlinkSockDiag(libc)
      }),
    )
  })
})
