import { afterAll, beforeAll, describe } from 'vitest'
import type { Exec } from '../../src/host/index.ts'
import type { IPFamily } from '../../src/ip/index.ts'
import { createIpvs } from '../../src/kernel/ipvs/index.ts'
import { ipvsConformance } from '../../src/kernel/ipvs/ipvs.conformance.ts'
import { type AddressPlan, backendConformance, type Outcome } from '../../src/proxy/backend.conformance.ts'
import { createIpvsBackend, createKernel } from '../../src/proxy/backends/ipvs/index.ts'
import { guestKernel } from './kernel.ts'
import { bootMachine, type Machine } from './machine.ts'
import type { GuestLab } from './protocol.ts'

const SERVICE_CIDRS = ['10.96.0.0/16', 'fd00:96::/112']
const kernel = await guestKernel()
if ('missing' in kernel) console.warn(`test/vm is skipped: ${kernel.missing}`)

let machine: Machine
let lab: GuestLab
const onNode: Exec = (argv, options) => machine.exec(['ip', 'netns', 'exec', lab.node, ...argv], options)
const newBackend = () => createIpvsBackend({ kernel: createKernel(onNode), serviceCIDRs: SERVICE_CIDRS })
const plan = (family: IPFamily): AddressPlan => {
  const { clusterIPs, ...rest } = lab.plans[family]
  return { ...rest, clusterIP: (index) => clusterIPs[index] ?? '' }
}

// Few kernels that tests run on have ip_vs, so this one brings its own; the reason of a skip is printed above.
describe.skipIf('missing' in kernel)('ipvs in a virtual machine', () => {
  beforeAll(async () => {
    if ('missing' in kernel) return
    machine = await bootMachine({ kernel, limitMs: 3_600_000 })
    lab = (await machine.ask({ op: 'open lab' })) as GuestLab
  }, 300_000)
  afterAll(() => machine?.close())

  ipvsConformance('the kernel', () => ({
    ipvs: createIpvs(onNode),
    clear: async () => void (await onNode(['ipvsadm', '--clear'])),
  }))

  for (const family of ['IPv4', 'IPv6'] as const) {
    backendConformance(`ipvs in a virtual machine, ${family}`, async () => ({
      backend: newBackend(),
      plan: plan(family),
      send: async (packet) => (await machine.ask({ op: 'send', packet })) as Outcome,
      close: async () => {},
    }))
  }
})
