import {
  arithmetic,
  at,
  call,
  fp,
  type Instruction,
  load,
  mapAddress,
  move,
  type Place,
  type Register,
  r0,
  r1,
  r2,
  store,
  when,
} from '../../../../kernel/bpf/index.ts'
import type { MapName } from '../layout.ts'

/**
 * Where each thing lies on the stack, from the frame pointer. In all programs r6 is the context; in those that choose, r7 is the number of the
 * Service port and r8 the set: 0 for cluster, 1 for local. The frontend, the endpoint and the number lie one after another: the first two are a
 * peer, the last two the key of a member.
 */
export const STACK = {
  /** Key of a frontend: what the socket asked for; also the sender of a datagram, or the peer. */
  frontend: -48,
  /** The one that is chosen. */
  endpoint: -28,
  id: -8,
  slot: -56,
  affinity: -72,
  affinityValue: -104,
  affinitySeconds: -112,
  now: -120,
  socket: -128,
  count: -136,
  /** Address of the frontend's value. */
  value: -144,
} as const

/** Bytes of an address or of a whole key, in steps that are aligned on both sides. */
export const copy = (
  from: Place,
  to: Place,
  { bytes, width }: { readonly bytes: number; readonly width: 'u32' | 'u64' },
): readonly Instruction[] => {
  const step = width === 'u32' ? 4 : 8
  return Array.from({ length: bytes / step }, (_, index) => [
    load(width, r1, moved(from, index * step)),
    store(width, moved(to, index * step), r1),
  ]).flat()
}

/** Goes on where the bytes are equal, else to the label. */
export const unlessEqual = (
  left: Place,
  right: Place,
  { bytes, width, otherwise }: { readonly bytes: number; readonly width: 'u32' | 'u64'; readonly otherwise: string },
): readonly Instruction[] => {
  const step = width === 'u32' ? 4 : 8
  return Array.from({ length: bytes / step }, (_, index) => [
    load(width, r1, moved(left, index * step)),
    load(width, r2, moved(right, index * step)),
    when(r1, 'ne', r2, otherwise),
  ]).flat()
}

export const onStack = (offset: number): Place => at(fp, offset)

export const moved = ({ base, offset }: Place, by: number): Place => at(base, offset + by)

/** r0 is the element's value, or the label is next. */
export const lookup = (map: MapName, key: number, absent: string): readonly Instruction[] => [
  mapAddress(r1, map),
  ...stackAddress(r2, key),
  call('map_lookup_elem'),
  when(r0, 'eq', 0, absent),
]

export const stackAddress = (to: Register, offset: number): readonly Instruction[] => [
  move(to, fp),
  arithmetic(to, 'add', offset),
]
