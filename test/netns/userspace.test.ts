import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aborted } from '../../src/base/index.ts'
import { serviceForwarding } from '../../src/model/index.ts'
import { endpoint, port, service, slice } from '../../src/model/testing/index.ts'
import { backendConformance } from '../../src/proxy/backend.conformance.ts'
import type { Backend } from '../../src/proxy/index.ts'
import type { Request } from './agent.ts'
import { canOpenLab, type Lab, openLab } from './lab.ts'
import { SERVICE_CIDRS } from './services.ts'

let lab: Lab

/** The backend in the node's namespace, behind the same contract. */
const remoteBackend = (): Backend => {
  const ask = (request: Request): Promise<unknown> => lab.agentAt('198.51.100.1').ask(request)
  return {
    mode: 'userspace',
    supports: new Set(['IPv6', 'Substitutes']),
    async start(signal) {
      await ask({ op: 'start', serviceCIDRs: SERVICE_CIDRS })
      return { stopped: aborted(signal).then(async () => void (await ask({ op: 'stop' }))) }
    },
    sync: async (change) => void (await ask({ op: 'sync', change })),
    exceptions: () => [],
    audit: async () => [],
    trace: () => [],
    cleanup: async () => {},
  }
}

// Without root there are no namespaces to make; loopback carries the same suite in src/proxy/backends/userspace.
describe.skipIf(!canOpenLab)('userspace proxy between network namespaces', () => {
  beforeAll(async () => {
    lab = await openLab('fu')
  })
  afterAll(() => lab?.close())

  for (const family of ['IPv4', 'IPv6'] as const) {
    backendConformance(`userspace in namespaces, ${family}`, async () => ({
      backend: remoteBackend(),
      plan: lab.plan(family),
      send: (packet) => lab.send(packet),
      close: async () => {},
    }))
  }

  /** Of Services, in the kernel. */
  const leftOn = async (): Promise<readonly string[]> => {
    const texts = await Promise.all([
      ...['-4', '-6'].map((flag) => lab.node.exec(['ip', flag, 'route', 'show', 'table', 'local'])),
      lab.node.exec(['ip', '-oneline', 'addr', 'show', 'dev', 'lo']),
    ])
    return texts
      .flatMap(({ stdout }) => stdout.split('\n'))
      .filter((line) => /10\.96\.|203\.0\.113|192\.0\.2\.200|fd00:(96|e|f)::/.test(line))
  }

  it('leaves no local route or address behind when it stops', async () => {
    expect(await leftOn()).toEqual([])
  })

  it('gives an IPv6 address back when the last Service at it goes', async () => {
    const { clusterIP, node, pods } = lab.plan('IPv6')
    const named = (name: string, number: number) => {
      const object = service(name, { clusterIP: clusterIP(0), clusterIPs: [clusterIP(0)], ports: [port(number)] })
      const slices = [
        slice(
          name,
          pods.map((address) => endpoint(address)),
          { addressType: 'IPv6' },
        ),
      ]
      const meaning = serviceForwarding({ service: object, slices, node }, 'IPv6')
      if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
      return meaning.forwarding
    }
    const [one, other] = [named('one', 80), named('other', 81)]
    const backend = remoteBackend()
    const stop = new AbortController()
    const { stopped } = await backend.start(stop.signal, () => {})
    await backend.sync({ full: true, set: [one, other], delete: [], node })
    await backend.sync({ full: false, set: [], delete: [one.key], node })
    const host = new RegExp(`inet6 ${clusterIP(0)}/128`)
    expect((await leftOn()).filter((line) => host.test(line))).toHaveLength(1)
    await backend.sync({ full: false, set: [], delete: [other.key], node })
    expect((await leftOn()).filter((line) => host.test(line))).toEqual([])
    stop.abort()
    await stopped
    expect(await leftOn()).toEqual([])
  })
})
