import type { ExecOptions } from '../../src/host/index.ts'
import type { Packet } from '../../src/model/index.ts'
import type { Request } from '../netns/agent.ts'

/** What the process in the virtual machine does when it is asked. */
export type GuestRequest =
  | { readonly op: 'exec'; readonly argv: readonly [string, ...string[]]; readonly options: Omit<ExecOptions, 'signal'> }
  /** Makes the laboratory of test/netns in the machine; gives the name of the node's namespace. */
  | { readonly op: 'open lab' }
  /** From the process at the packet's source address. */
  | { readonly op: 'send'; readonly packet: Packet }
  /** Asks the process in the namespace that has this address. */
  | { readonly op: 'agent'; readonly address: string; readonly request: Request }
