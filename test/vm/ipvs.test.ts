import { afterAll, beforeAll, describe } from 'vitest'
import type { Exec } from '../../src/host/index.ts'
import { createIpvs } from '../../src/kernel/ipvs/index.ts'
import { ipvsConformance } from '../../src/kernel/ipvs/ipvs.conformance.ts'
import { guestKernel } from './kernel.ts'
import { bootMachine, type Machine } from './machine.ts'

const kernel = await guestKernel()
if ('missing' in kernel) console.warn(`test/vm is skipped: ${kernel.missing}`)

let machine: Machine
/** The network namespace of the node in the machine. */
let node: string
const onNode: Exec = (argv, options) => machine.exec(['ip', 'netns', 'exec', node, ...argv], options)

describe.skipIf('missing' in kernel)('ipvs in a virtual machine', () => {
  beforeAll(async () => {
    if ('missing' in kernel) return
    machine = await bootMachine({ kernel })
    node = String(await machine.ask({ op: 'open lab' }))
  }, 300_000)
  afterAll(() => machine?.close())

  ipvsConformance('the kernel', () => ({
    ipvs: createIpvs(onNode),
    clear: async () => void (await onNode(['ipvsadm', '--clear'])),
  }))
})
