import { HostError } from '../errors.ts'
import type { Libc, LibcFunction } from './libc.ts'

/**
 * bpf(2) by its commands; what is a file descriptor in the kernel's interface is a number here, and its holder closes it (`node:fs`).
 * A call that the kernel refuses throws `HostError` with the errno's name; for a program the verifier's log is its `stderr`.
 * Layouts of `union bpf_attr` as in linux/bpf.h; little-endian machines.
 */
export interface BpfCalls {
  createMap(map: BpfMapAttributes): number
  updateElements(map: number, keys: Buffer, values: Buffer, count: number): void
  updateElement(map: number, key: Buffer, value: Buffer): void
  /** Undefined where the key is not there. */
  lookupElement(map: number, key: Buffer, valueSize: number): Buffer | undefined
  /** No failure where the key is not there. */
  deleteElement(map: number, key: Buffer): void
  /** Everything in a hash or an array, one key and one value after another. */
  dump(map: number, sizes: BpfElementSizes): BpfDump
  loadTypes(btf: Buffer): number
  loadProgram(program: BpfProgramAttributes): number
  /** Beside the programs of others, or in the place of `replaced` in one step. */
  attach(attachment: BpfAttachment & { readonly replaced?: number }): void
  detach(attachment: BpfAttachment): void
  /** What is attached to this very cgroup. */
  attached(cgroup: number, attachType: number): BpfAttached
  programById(id: number): number
  mapById(id: number): number
  programInfo(program: number): BpfProgramInfo
  mapInfo(map: number): BpfMapInfo
}

interface BpfElementSizes {
  readonly keySize: number
  readonly valueSize: number
  /** A bound of how many there are. */
  readonly maxEntries: number
}

interface BpfMapAttributes extends BpfElementSizes {
  readonly type: number
  readonly flags: number
  /** At most 15 characters out of letters, digits, `_` and `.`. */
  readonly name: string
  /** File descriptor of the types, for maps that must have them. */
  readonly types?: { readonly btf: number; readonly key: number; readonly value: number }
}

interface BpfDump {
  readonly count: number
  readonly keys: Buffer
  readonly values: Buffer
}

interface BpfProgramAttributes {
  readonly type: number
  readonly attachType: number
  readonly name: string
  readonly instructions: Buffer
  readonly license: string
}

interface BpfAttachment {
  readonly cgroup: number
  readonly program: number
  readonly attachType: number
}

interface BpfAttached {
  readonly programIds: readonly number[]
  /** A program there lets no other beside it. */
  readonly isExclusive: boolean
}

interface BpfProgramInfo {
  readonly id: number
  readonly name: string
  /** The kernel's hash of the instructions without the maps' numbers: equal programs have equal tags. */
  readonly tag: string
  readonly mapIds: readonly number[]
}

export interface BpfMapInfo extends BpfElementSizes {
  readonly id: number
  readonly type: number
  readonly flags: number
  readonly name: string
}

const COMMAND = {
  MAP_CREATE: 0,
  MAP_LOOKUP_ELEM: 1,
  MAP_UPDATE_ELEM: 2,
  MAP_DELETE_ELEM: 3,
  PROG_LOAD: 5,
  PROG_ATTACH: 8,
  PROG_DETACH: 9,
  PROG_GET_FD_BY_ID: 13,
  MAP_GET_FD_BY_ID: 14,
  OBJ_GET_INFO_BY_FD: 15,
  PROG_QUERY: 16,
  BTF_LOAD: 18,
  MAP_LOOKUP_BATCH: 24,
  MAP_UPDATE_BATCH: 26,
} as const

type Command = keyof typeof COMMAND

/** Numbers of the system call. */
const SYS_BPF: Readonly<Partial<Record<string, number>>> = { x64: 321, arm64: 280, riscv64: 280 }
const BPF_F_ALLOW_MULTI = 2
const BPF_F_REPLACE = 4
const LOG_SIZE = 1024 * 1024
/** More programs than any cgroup can have (BPF_CGROUP_MAX_PROGS is 64). */
const MAX_ATTACHED = 64
const MAX_MAPS = 64

/** Throws `HostError` where the number of the system call is not known for this machine. */
export const openBpf = (libc: Libc): BpfCalls => {
  const number = SYS_BPF[process.arch]
  if (number === undefined) {
    throw new HostError(`bpf: the system call is not known on ${process.arch}`, { code: 'ENOSYS', command: ['bpf'] })
  }
  const { syscall, sigmask } = callsOf(libc)
  const address = (buffer: Buffer): bigint => (buffer.length === 0 ? 0n : libc.addressOf(buffer))
  const bpf = (command: Command, attributes: Buffer, what = ''): number => {
    try {
      return syscall.call(number, COMMAND[command], address(attributes), attributes.length, 0, 0)
    } catch (error) {
      throw named(error, `bpf ${command}${what === '' ? '' : ` ${what}`}`)
    }
  }
  const gate = { bpf, address, sigmask }
  return { ...mapCalls(gate), ...programCalls(gate) }
}

interface Gate {
  readonly bpf: (command: Command, attributes: Buffer, what?: string) => number
  readonly address: (buffer: Buffer) => bigint
  readonly sigmask: LibcFunction
}

const mapCalls = ({ bpf, address }: Gate) => {
  const batch = (map: number, count: number): Buffer => {
    const attributes = Buffer.alloc(56)
    attributes.writeUInt32LE(count, 32)
    attributes.writeUInt32LE(map, 36)
    return attributes
  }
  const element = (map: number, key: Buffer, value?: Buffer): Buffer => {
    const attributes = Buffer.alloc(32)
    attributes.writeUInt32LE(map, 0)
    attributes.writeBigUInt64LE(address(key), 8)
    if (value !== undefined) attributes.writeBigUInt64LE(address(value), 16)
    return attributes
  }
  return {
    createMap({ type, keySize, valueSize, maxEntries, flags, name, types }: BpfMapAttributes): number {
      const attributes = Buffer.alloc(64)
      for (const [index, field] of [type, keySize, valueSize, maxEntries, flags].entries())
        attributes.writeUInt32LE(field, index * 4)
      attributes.write(name, 28, 15, 'latin1')
      if (types !== undefined) {
        for (const [index, field] of [types.btf, types.key, types.value].entries())
          attributes.writeUInt32LE(field, 48 + index * 4)
      }
      return bpf('MAP_CREATE', attributes, name)
    },
    updateElements(map: number, keys: Buffer, values: Buffer, count: number): void {
      if (count === 0) return
      const attributes = batch(map, count)
      attributes.writeBigUInt64LE(address(keys), 16)
      attributes.writeBigUInt64LE(address(values), 24)
      bpf('MAP_UPDATE_BATCH', attributes)
    },
    updateElement(map: number, key: Buffer, value: Buffer): void {
      bpf('MAP_UPDATE_ELEM', element(map, key, value))
    },
    lookupElement(map: number, key: Buffer, valueSize: number): Buffer | undefined {
      const value = Buffer.alloc(valueSize)
      return ignoring('ENOENT', () => bpf('MAP_LOOKUP_ELEM', element(map, key, value))) ? undefined : value
    },
    deleteElement(map: number, key: Buffer): void {
      ignoring('ENOENT', () => bpf('MAP_DELETE_ELEM', element(map, key)))
    },
    dump: (map: number, sizes: BpfElementSizes): BpfDump => dump({ bpf, address }, batch, { map, ...sizes }),
  }
}

/** The kernel gives whole buckets: a batch must have room for the fullest. */
const BATCH = 16_384

const dump = (
  { bpf, address }: Pick<Gate, 'bpf' | 'address'>,
  batch: (map: number, count: number) => Buffer,
  { map, keySize, valueSize, maxEntries }: BpfElementSizes & { readonly map: number },
): BpfDump => {
  const keys: Buffer[] = []
  const values: Buffer[] = []
  const at = Buffer.alloc(Math.max(keySize, 8))
  let count = 0
  for (let isDone = false, isFirst = true; !isDone; isFirst = false) {
    const room = Math.min(maxEntries, BATCH)
    const someKeys = Buffer.allocUnsafeSlow(room * keySize)
    const someValues = Buffer.allocUnsafeSlow(room * valueSize)
    const attributes = batch(map, room)
    if (!isFirst) attributes.writeBigUInt64LE(address(at), 0)
    for (const [index, buffer] of [at, someKeys, someValues].entries())
      attributes.writeBigUInt64LE(address(buffer), 8 + index * 8)
    // ENOENT: this was the last batch.
    isDone = ignoring('ENOENT', () => bpf('MAP_LOOKUP_BATCH', attributes))
    const got = attributes.readUInt32LE(32)
    keys.push(someKeys.subarray(0, got * keySize))
    values.push(someValues.subarray(0, got * valueSize))
    count += got
  }
  return { count, keys: Buffer.concat(keys), values: Buffer.concat(values) }
}

const programCalls = ({ bpf, address, sigmask }: Gate) => ({
  loadTypes(btf: Buffer): number {
    const attributes = Buffer.alloc(28)
    attributes.writeBigUInt64LE(address(btf), 0)
    attributes.writeUInt32LE(btf.length, 16)
    return bpf('BTF_LOAD', attributes)
  },
  loadProgram: (program: BpfProgramAttributes): number => loadProgram({ bpf, address, sigmask }, program),
  attach({ cgroup, program, attachType, replaced }: BpfAttachment & { readonly replaced?: number }): void {
    const flags = BPF_F_ALLOW_MULTI | (replaced === undefined ? 0 : BPF_F_REPLACE)
    bpf('PROG_ATTACH', words(cgroup, program, attachType, flags, replaced ?? 0))
  },
  detach: ({ cgroup, program, attachType }: BpfAttachment): void =>
    void bpf('PROG_DETACH', words(cgroup, program, attachType, 0, 0)),
  attached(cgroup: number, attachType: number): BpfAttached {
    const ids = Buffer.alloc(MAX_ATTACHED * 4)
    const attributes = Buffer.alloc(32)
    attributes.writeUInt32LE(cgroup, 0)
    attributes.writeUInt32LE(attachType, 4)
    attributes.writeBigUInt64LE(address(ids), 16)
    attributes.writeUInt32LE(MAX_ATTACHED, 24)
    bpf('PROG_QUERY', attributes)
    const programIds = numbers(ids, attributes.readUInt32LE(24))
    return { programIds, isExclusive: programIds.length > 0 && (attributes.readUInt32LE(12) & BPF_F_ALLOW_MULTI) === 0 }
  },
  programById: (id: number): number => bpf('PROG_GET_FD_BY_ID', words(id, 0, 0)),
  mapById: (id: number): number => bpf('MAP_GET_FD_BY_ID', words(id, 0, 0)),
  programInfo(program: number): BpfProgramInfo {
    const mapIds = Buffer.alloc(MAX_MAPS * 4)
    const into = Buffer.alloc(80)
    into.writeUInt32LE(MAX_MAPS, 52)
    into.writeBigUInt64LE(address(mapIds), 56)
    info({ bpf, address }, program, into)
    return {
      id: into.readUInt32LE(4),
      tag: into.toString('hex', 8, 16),
      name: nameAt(into, 64),
      mapIds: numbers(mapIds, into.readUInt32LE(52)),
    }
  },
  mapInfo(map: number): BpfMapInfo {
    const into = Buffer.alloc(40)
    info({ bpf, address }, map, into)
    const [type = 0, id = 0, keySize = 0, valueSize = 0, maxEntries = 0, flags = 0] = numbers(into, 6)
    return { type, id, keySize, valueSize, maxEntries, flags, name: nameAt(into, 24) }
  },
})

const loadProgram = ({ bpf, address, sigmask }: Gate, program: BpfProgramAttributes): number => {
  const license = Buffer.from(`${program.license}\0`, 'latin1')
  const attributes = Buffer.alloc(72)
  attributes.writeUInt32LE(program.type, 0)
  attributes.writeUInt32LE(program.instructions.length / 8, 4)
  attributes.writeBigUInt64LE(address(program.instructions), 8)
  attributes.writeBigUInt64LE(address(license), 16)
  attributes.write(program.name, 48, 15, 'latin1')
  attributes.writeUInt32LE(program.attachType, 68)
  const load = (): number => undisturbed(sigmask, () => bpf('PROG_LOAD', attributes, program.name))
  try {
    return load()
  } catch (error) {
    if (!(error instanceof HostError) || error.code === 'EPERM') throw error
    // A second time, now with the verifier's words.
    const log = Buffer.alloc(LOG_SIZE)
    attributes.writeUInt32LE(1, 24)
    attributes.writeUInt32LE(log.length, 28)
    attributes.writeBigUInt64LE(address(log), 32)
    try {
      return load()
    } catch {
      const { code, command, message } = error
      const stderr = log.toString('latin1', 0, log.indexOf(0)).trim()
      const last = stderr.split('\n').slice(-3).join('; ')
      throw new HostError(`${message}${last === '' ? '' : `: ${last}`}`, { code, command, stderr })
    }
  }
}

const SIG_SETMASK = 2
/** Longer than any `sigset_t`. */
const SIGNAL_SET = 128

/** The verifier gives up with EAGAIN where a signal waits for this thread, as a profiler's does each millisecond: they wait for a while instead. */
const undisturbed = (sigmask: LibcFunction, load: () => number): number => {
  const before = Buffer.alloc(SIGNAL_SET)
  sigmask.call(SIG_SETMASK, Buffer.alloc(SIGNAL_SET, 0xff), before)
  try {
    return load()
  } finally {
    sigmask.call(SIG_SETMASK, before, null)
  }
}

const info = ({ bpf, address }: Pick<Gate, 'bpf' | 'address'>, fd: number, into: Buffer): void => {
  const attributes = Buffer.alloc(16)
  attributes.writeUInt32LE(fd, 0)
  attributes.writeUInt32LE(into.length, 4)
  attributes.writeBigUInt64LE(address(into), 8)
  bpf('OBJ_GET_INFO_BY_FD', attributes)
}

const words = (...fields: readonly number[]): Buffer => {
  const attributes = Buffer.alloc(fields.length * 4)
  for (const [index, field] of fields.entries()) attributes.writeUInt32LE(field, index * 4)
  return attributes
}

const numbers = (bytes: Buffer, count: number): readonly number[] =>
  Array.from({ length: count }, (_, index) => bytes.readUInt32LE(index * 4))

const nameAt = (bytes: Buffer, at: number): string => bytes.toString('latin1', at, at + 16).replace(/\0.*$/s, '')

/** Whether the call failed with this code; another failure is thrown. */
const ignoring = (code: string, call: () => unknown): boolean => {
  try {
    call()
    return false
  } catch (error) {
    if (error instanceof HostError && error.code === code) return true
    throw error
  }
}

const named = (error: unknown, call: string): unknown =>
  error instanceof HostError ? new HostError(`${call}: ${error.code}`, { code: error.code, command: [call] }) : error

let known: Readonly<Record<'syscall' | 'sigmask', LibcFunction>> | undefined

/** koffi keeps every declaration for ever, so each is made once. Pointers are passed to syscall(2) as the numbers that they are. */
const callsOf = (libc: Libc) => {
  known ??= {
    syscall: libc.declare('intptr_t syscall(intptr_t number, intptr_t a, intptr_t b, intptr_t c, intptr_t d, intptr_t e)'),
    sigmask: libc.declare('int pthread_sigmask(int how, void *set, void *old)'),
  }
  return known
}
