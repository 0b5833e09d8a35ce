import { createHash } from 'node:crypto'
import { exit, type Hook, type Instruction, label, move, type Program, r0, r1, r6 } from '../../../../kernel/bpf/index.ts'
import { CHOSEN, choose } from './choose.ts'
import { readContext, type Version, writeContext } from './context.ts'
import { forgetEnded, forgetPeer, knownFlow, rememberFlow, rememberPeer, restoreFlow, restorePeer } from './remember.ts'

export interface ProgramOptions {
  /** Of all of them: by it the next process finds what this one leaves. */
  readonly name: string
  /** Of the node's network namespace. */
  readonly nodeCookie: bigint
}

/** In the order in which they are attached: who puts Service addresses back is there before an endpoint takes the place of one. */
export const HOOKS: readonly Hook[] = [
  'recvmsg4',
  'recvmsg6',
  'getpeername4',
  'getpeername6',
  'sock_release',
  'sendmsg4',
  'sendmsg6',
  'connect4',
  'connect6',
]

/** The name of an instance's programs, as the kernel allows it: 15 characters out of letters, digits, `_` and `.`. */
export const programName = (instance: string): string => {
  if (/^[A-Za-z0-9_.]{1,15}$/.test(instance)) return instance
  const start = instance.replace(/[^A-Za-z0-9_.]/g, '_').slice(0, 6)
  return `${start}_${createHash('sha256').update(instance).digest('hex').slice(0, 8)}`
}

/**
 * The programs that carry Services for sockets: `connect` and `sendmsg` put an endpoint in the place of a Service address, `recvmsg` and
 * `getpeername` put the Service address back, `sock_release` forgets sockets that end. They never refuse a call: what they do not know they leave as it is.
 */
export const servicePrograms = ({ name, nodeCookie }: ProgramOptions): readonly Program[] =>
  HOOKS.map((hook) => ({ name, hook, instructions: [move(r6, r1), ...body(hook, nodeCookie)] }))

const body = (hook: Hook, nodeCookie: bigint): readonly Instruction[] => {
  const version: Version = hook.endsWith('4') ? 4 : 6
  const rewrite = [label('rewrite'), ...writeContext(version, CHOSEN), ...allow]
  switch (hook) {
    case 'connect4':
    case 'connect6':
      return [...choose({ version, nodeCookie, known: [] }), ...rememberPeer, ...rewrite, label('leave'), ...forgetPeer, ...allow]
    case 'sendmsg4':
    case 'sendmsg6':
      return [...choose({ version, nodeCookie, known: knownFlow }), ...rememberFlow, ...rewrite, label('leave'), ...allow]
    case 'recvmsg4':
    case 'recvmsg6':
      return [...readContext(version), ...restorePeer(version), ...restoreFlow(version), label('done'), ...allow]
    case 'getpeername4':
    case 'getpeername6':
      return [...readContext(version), ...restorePeer(version), label('done'), ...allow]
    case 'sock_release':
      return [...forgetEnded, ...allow]
    default:
      return hook satisfies never
  }
}

const allow: readonly Instruction[] = [move(r0, 1), exit]
