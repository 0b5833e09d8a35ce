import type { ExecOptions } from '../../src/host/index.ts'
import type { IPFamily } from '../../src/ip/index.ts'
import type { Packet } from '../../src/model/index.ts'
import type { AddressPlan } from '../../src/proxy/backend.conformance.ts'
import type { Request } from '../netns/agent.ts'

/** What the process in the virtual machine does when it is asked. */
export type GuestRequest =
  | { readonly op: 'exec'; readonly argv: readonly [string, ...string[]]; readonly options: Omit<ExecOptions, 'signal'> }
  /** Makes the laboratory of test/netns in the machine; gives a {@link GuestLab}. */
  | { readonly op: 'open lab' }
  /** From the process at the packet's source address. */
  | { readonly op: 'send'; readonly packet: Packet }
  /** Asks the process in the namespace that has this address. */
  | { readonly op: 'agent'; readonly address: string; readonly request: Request }

/** The laboratory as it can be told. */
export interface GuestLab {
  /** The network namespace of the node under test. */
  readonly node: string
  readonly plans: Readonly<Record<IPFamily, GuestPlan>>
}

export interface GuestPlan extends Omit<AddressPlan, 'clusterIP'> {
  readonly clusterIPs: readonly string[]
}
