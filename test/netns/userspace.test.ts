import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aborted } from '../../src/base/index.ts'
import { backendConformance } from '../../src/proxy/backend.conformance.ts'
import type { Backend } from '../../src/proxy/index.ts'
import type { Request } from './agent.ts'
import { canOpenLab, type Lab, openLab } from './lab.ts'

const SERVICE_CIDRS = ['10.96.0.0/16', 'fd00:96::/112']
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

  it('leaves no local route behind when it stops', async () => {
    for (const flag of ['-4', '-6']) {
      const { stdout } = await lab.node.exec(['ip', flag, 'route', 'show', 'table', 'local'])
      expect(stdout).not.toMatch(/10\.96\.|203\.0\.113|192\.0\.2\.200|fd00:(96|e|f)::/)
    }
  })
})
