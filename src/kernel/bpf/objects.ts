import type { Instruction } from './instructions.ts'

/** `socket storage` lives with one socket each and ends with it; `lru hash` forgets what was not used for long when it is full. */
export type MapKind = 'hash' | 'array' | 'lru hash' | 'socket storage'

export interface MapSpec {
  /** At most 15 characters out of letters, digits, `_` and `.`. */
  readonly name: string
  readonly kind: MapKind
  readonly keySize: number
  readonly valueSize: number
  /** No meaning for socket storage. */
  readonly maxEntries: number
}

/** Where programs of cgroups are run (`enum bpf_attach_type`). */
export type Hook =
  | 'connect4'
  | 'connect6'
  | 'sendmsg4'
  | 'sendmsg6'
  | 'recvmsg4'
  | 'recvmsg6'
  | 'getpeername4'
  | 'getpeername6'
  | 'sock_release'

export interface Program {
  /** As a map's name; several programs may have one. */
  readonly name: string
  readonly hook: Hook
  readonly instructions: readonly Instruction[]
}

/** Keys and values are bytes, one character (0 to 255, `latin1`) each, so that they can be compared and looked up. */
export type Elements = ReadonlyMap<string, string>

/** A map in the kernel. Each call throws `HostError` when the kernel refuses: `E2BIG` when a hash is full. */
export interface BpfMap {
  readonly id: number
  readonly spec: MapSpec
  /** Everything in it. Of arrays also what was never set: zeros. Not for socket storage, which nobody can list. */
  read(): Elements
  /** One element; undefined where it is not there. */
  get(key: string): string | undefined
  /** Each element changes in one step, one after another. */
  update(elements: Elements): void
  /** What is not there is no failure. Arrays have no absent elements: theirs become zeros. */
  delete(keys: Iterable<string>): void
  close(): void
}

/** A program in the kernel. */
export interface LoadedProgram {
  /** Equal for equal instructions, whatever the maps. */
  readonly tag: string
  readonly mapIds: readonly number[]
  close(): void
}

/**
 * A cgroup of the v2 tree: its programs run for sockets of the processes in it and below. What is attached stays when this process ends, and
 * keeps its maps; it goes with `detach`, or with the cgroup.
 */
export interface Cgroup {
  /** For people: `cgroup v2 at /sys/fs/cgroup`. */
  readonly description: string
  /** Whether a program of another keeps this hook for itself. */
  isExclusive(hook: Hook): boolean
  /** The programs of this name that are attached to this very cgroup. The caller closes them. */
  attached(hook: Hook, name: string): readonly LoadedProgram[]
  /** Beside the programs of others; in the place of `replaced` in one step. */
  attach(hook: Hook, program: LoadedProgram, replaced?: LoadedProgram): void
  detach(hook: Hook, program: LoadedProgram): void
  close(): void
}

export interface NetworkNamespace {
  readonly cookie: bigint
  /** Its own, of both families. */
  readonly addresses: readonly string[]
}

/** bpf(2) as objects; calls are short and on this thread. What the kernel refuses is a `HostError`. */
export interface Bpf {
  /** The cgroup of a folder, or the root of the tree: where it is mounted, else through a mount of our own. */
  openCgroup(folder?: string): Promise<Cgroup>
  createMap(spec: MapSpec): BpfMap
  /** The map of this id; undefined when it is gone or of a kind that is not known here. */
  openMap(id: number): BpfMap | undefined
  /** A program that the verifier refuses is a `HostError` with its log as `stderr`. */
  load(program: Program, maps: ReadonlyMap<string, BpfMap>): LoadedProgram
  /** The number by which programs know the network namespace that is the node's. */
  networkCookie(): bigint
  /** Other network namespaces that hang on the node's by a link, as those of its pods do; none without a process. */
  linkedNamespaces(): Promise<readonly NetworkNamespace[]>
}
