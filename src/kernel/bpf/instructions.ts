/** A register: r0 is what calls and the program give, r1 to r5 are a call's arguments and lost with it, r6 to r9 stay, r10 is the stack's end. */
export interface Register {
  readonly register: number
}

export const r0: Register = { register: 0 }
export const r1: Register = { register: 1 }
export const r2: Register = { register: 2 }
export const r3: Register = { register: 3 }
export const r4: Register = { register: 4 }
export const r6: Register = { register: 6 }
export const r7: Register = { register: 7 }
export const r8: Register = { register: 8 }
export const r9: Register = { register: 9 }
/** Read-only; the stack is the 512 bytes before it. */
export const fp: Register = { register: 10 }

export type Width = 'u8' | 'u16' | 'u32' | 'u64'
export type Arithmetic = 'add' | 'sub' | 'mul' | 'or' | 'and' | 'lsh' | 'rsh' | 'mod'
export type Condition = 'eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le' | 'set'

/** The kernel functions that programs may call, with their numbers in `enum bpf_func_id`. */
export const HELPERS = {
  map_lookup_elem: 1,
  map_update_elem: 2,
  map_delete_elem: 3,
  ktime_get_ns: 5,
  get_prandom_u32: 7,
  get_socket_cookie: 46,
  sk_storage_get: 107,
  get_netns_cookie: 122,
} as const

export type Helper = keyof typeof HELPERS

/** One instruction of a program (kernel documentation, bpf/standardization/instruction-set.rst); `label` and `map` are resolved when it is assembled. */
export type Instruction =
  | { readonly kind: 'label'; readonly name: string }
  | { readonly kind: 'constant'; readonly to: Register; readonly value: bigint }
  | { readonly kind: 'map'; readonly to: Register; readonly map: string }
  | { readonly kind: 'move'; readonly to: Register; readonly value: Register | number }
  | { readonly kind: 'arithmetic'; readonly op: Arithmetic; readonly to: Register; readonly value: Register | number }
  | { readonly kind: 'load'; readonly width: Width; readonly to: Register; readonly from: Place }
  | { readonly kind: 'store'; readonly width: Width; readonly to: Place; readonly value: Register }
  | { readonly kind: 'jump'; readonly to: string }
  | {
      readonly kind: 'branch'
      readonly condition: Condition
      readonly left: Register
      readonly right: Register | number
      readonly to: string
    }
  | { readonly kind: 'call'; readonly helper: Helper }
  | { readonly kind: 'exit' }

/** Memory at a register's address plus so many bytes. */
export interface Place {
  readonly base: Register
  readonly offset: number
}

export const at = (base: Register, offset: number): Place => ({ base, offset })

export const label = (name: string): Instruction => ({ kind: 'label', name })

/** A 64-bit constant; {@link move} takes what fits 32 bits with a sign. */
export const constant = (to: Register, value: bigint): Instruction => ({ kind: 'constant', to, value })

/** The address of a map, as the helpers want it. */
export const mapAddress = (to: Register, map: string): Instruction => ({ kind: 'map', to, map })

export const move = (to: Register, value: Register | number): Instruction => ({ kind: 'move', to, value })

/** 64-bit arithmetic without a sign; division by zero is no failure but gives the dividend (`mod`). */
export const arithmetic = (to: Register, op: Arithmetic, value: Register | number): Instruction => ({
  kind: 'arithmetic',
  op,
  to,
  value,
})

export const load = (width: Width, to: Register, from: Place): Instruction => ({ kind: 'load', width, to, from })

export const store = (width: Width, to: Place, value: Register): Instruction => ({ kind: 'store', width, to, value })

export const jump = (to: string): Instruction => ({ kind: 'jump', to })

/** Goes to a label where the comparison (without a sign; `set`: any common bit) holds. */
export const when = (left: Register, condition: Condition, right: Register | number, to: string): Instruction => ({
  kind: 'branch',
  condition,
  left,
  right,
  to,
})

export const call = (helper: Helper): Instruction => ({ kind: 'call', helper })

export const exit: Instruction = { kind: 'exit' }
