import { at, constant, type Instruction, load, move, type Place, r1, r6, store } from '../../../../kernel/bpf/index.ts'
import { copy, moved, onStack, STACK } from './words.ts'

/** Offsets in `struct bpf_sock_addr` (linux/bpf.h). */
const IP4 = 4
const IP6 = 8
const PORT = 24
const PROTOCOL = 36
const SOCKET = 64

export type Version = 4 | 6

export const protocol: Place = at(r6, PROTOCOL)
export const socket: Place = at(r6, SOCKET)
const contextPort: Place = at(r6, PORT)

/** The address and port of the context to the stack, IPv4 as `::ffff:a.b.c.d`. */
export const readContext = (version: Version): readonly Instruction[] => {
  const to = onStack(STACK.frontend)
  const address =
    version === 6
      ? copy(at(r6, IP6), to, { bytes: 16, width: 'u32' })
      : [
          move(r1, 0),
          store('u64', to, r1),
          constant(r1, 0xffff_0000n),
          store('u32', moved(to, 8), r1),
          load('u32', r1, at(r6, IP4)),
          store('u32', moved(to, 12), r1),
        ]
  return [...address, load('u32', r1, contextPort), store('u16', moved(to, 16), r1)]
}

/** An address of 16 bytes with its port behind it to the context. */
export const writeContext = (version: Version, from: Place): readonly Instruction[] => [
  ...(version === 6
    ? copy(from, at(r6, IP6), { bytes: 16, width: 'u32' })
    : [load('u32', r1, moved(from, 12)), store('u32', at(r6, IP4), r1)]),
  load('u16', r1, moved(from, 16)),
  store('u32', contextPort, r1),
]
