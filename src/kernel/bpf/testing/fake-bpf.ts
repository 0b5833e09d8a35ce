import { createHash } from 'node:crypto'
import { HostError } from '../../../host/index.ts'
import { assemble, mapsOf } from '../assemble.ts'
import { HELPERS, type Helper } from '../instructions.ts'
import type { Bpf, BpfMap, Cgroup, Hook, LoadedProgram, NetworkNamespace, Program } from '../objects.ts'
import { type FakeMap, failure, fakeMap, handleOf } from './fake-maps.ts'
import { type FakeSocket, fakeSocket, type SocketOptions } from './fake-socket.ts'
import { type Arguments, run } from './machine.ts'
import { opaque, type Pointer, type Word } from './memory.ts'
import { contextOf, type HookCall, socketAt } from './sock-addr.ts'

export interface FakeBpfOptions {
  /** From 0 (included) to 1; `Math.random` unless told. */
  readonly random?: () => number
  /** Nanoseconds since some moment. */
  readonly now?: () => bigint
  /** Of the node's network namespace. */
  readonly cookie?: bigint
  /** Hooks that a program of somebody else keeps for itself. */
  readonly exclusive?: readonly Hook[]
}

/** A kernel without a kernel: it runs the very bytes of programs for sockets whose calls a test makes. One cgroup, with everything in it. */
export interface FakeBpf extends Bpf {
  openSocket(options: SocketOptions): FakeSocket
  /** What a SIGKILL of the holder does: what no cgroup holds is gone. */
  crash(): void
  /** One call that changes something fails: the one after so many that go on. Undefined: none does. */
  failAfter(changes: number | undefined): void
  /** A pod's namespace, say, that a link leads to. */
  addNamespace(namespace: NetworkNamespace): void
  /** Somebody takes all programs off the cgroup. */
  detachAll(): void
  /** Ids of maps that are alive, with their contents; for a test that damages or compares. */
  readonly maps: ReadonlyMap<number, FakeMap>
  /** Changed elements so far. */
  readonly writes: number
}

interface FakeProgram extends LoadedProgram {
  readonly bytes: Buffer
  readonly name: string
}

const MAP_NUMBER_BASE = 1_000

interface Cookies {
  readonly namespace: bigint
  readonly socket: bigint
}

interface State {
  readonly maps: Map<number, FakeMap>
  readonly attachments: Map<Hook, FakeProgram[]>
  readonly cookies: WeakMap<object, Cookies>
  readonly exclusive: ReadonlySet<Hook>
  readonly namespaces: NetworkNamespace[]
  nextId: number
  goodChanges: number | undefined
  writes: number
}

export const fakeBpf = (options: FakeBpfOptions = {}): FakeBpf => {
  const state: State = {
    maps: new Map(),
    attachments: new Map(),
    cookies: new WeakMap(),
    exclusive: new Set(options.exclusive),
    namespaces: [],
    nextId: 1,
    goodChanges: undefined,
    writes: 0,
  }
  return {
    networkCookie: () => options.cookie ?? 1n,
    linkedNamespaces: async () => [...state.namespaces],
    addNamespace: (namespace) => void state.namespaces.push(namespace),
    openCgroup: async () => fakeCgroup(state),
    createMap(spec) {
      change(state)
      const map = fakeMap(state.nextId++, spec)
      state.maps.set(map.id, map)
      return countedHandle(state, map)
    },
    openMap(id) {
      const map = alive(state).get(id)
      return map === undefined ? undefined : countedHandle(state, map)
    },
    load: (program, maps) => load(state, program, maps),
    openSocket(socket) {
      const identity = {}
      const id = BigInt(state.nextId++)
      state.cookies.set(identity, { namespace: socket.cookie, socket: id })
      return fakeSocket(socket, { identity, id }, (hookCall) => runHook(state, options, hookCall))
    },
    crash() {
      for (const map of state.maps.values()) map.holders = 0
    },
    failAfter(changes) {
      state.goodChanges = changes
    },
    detachAll: () => state.attachments.clear(),
    get maps() {
      return alive(state)
    },
    get writes() {
      return state.writes
    },
  }
}

const change = (state: State): void => {
  if (state.goodChanges === undefined) return
  if (state.goodChanges-- > 0) return
  state.goodChanges = undefined
  throw failure('call', 'of the fake', 'EIO')
}

/** Maps that nobody holds any longer are gone. */
const alive = ({ maps, attachments }: State): ReadonlyMap<number, FakeMap> => {
  const used = new Set([...attachments.values()].flat().flatMap(({ mapIds }) => mapIds))
  for (const [id, map] of maps) if (map.holders <= 0 && !used.has(id)) maps.delete(id)
  return maps
}

const countedHandle = (state: State, map: FakeMap): BpfMap => {
  const handle = handleOf(map)
  const counted = (write: () => void): void => {
    change(state)
    write()
    state.writes++
  }
  return {
    ...handle,
    update(elements) {
      for (const element of elements) counted(() => handle.update(new Map([element])))
    },
    delete(keys) {
      for (const key of keys) counted(() => handle.delete([key]))
    },
  }
}

const load = (state: State, { name, instructions }: Program, given: ReadonlyMap<string, BpfMap>): FakeProgram => {
  change(state)
  const idOf = (map: string): number => {
    const known = given.get(map)
    if (known === undefined || !alive(state).has(known.id)) throw failure('PROG_LOAD', name, 'EBADF')
    return known.id
  }
  const bytes = assemble(instructions, (map) => MAP_NUMBER_BASE + idOf(map))
  const withoutMaps = assemble(instructions, () => 0)
  const tag = createHash('sha1').update(withoutMaps).digest('hex').slice(0, 16)
  return { bytes, name, tag, mapIds: [...mapsOf(instructions)].map(idOf), close: () => {} }
}

const runHook = (
  state: State,
  { random = Math.random, now = process.hrtime.bigint }: FakeBpfOptions,
  call: HookCall,
): boolean => {
  const cookies = state.cookies.get(call.socket) ?? { namespace: 0n, socket: 0n }
  const helpers = helpersFor({ random, now, cookies, maps: alive(state) })
  let isAllowed = true
  for (const { bytes } of state.attachments.get(call.hook) ?? []) {
    const result = run(bytes, { context: contextOf(call), mapOf: mapPointer, call: helpers })
    isAllowed &&= result === 1n
  }
  return isAllowed
}

const fakeCgroup = (state: State): Cgroup => {
  const programsAt = (hook: Hook): FakeProgram[] => state.attachments.get(hook) ?? []
  const place = (hook: Hook, call: string, program: LoadedProgram): number => {
    const programs: readonly LoadedProgram[] = programsAt(hook)
    const index = programs.indexOf(program)
    if (index < 0) throw failure(call, hook, 'ENOENT')
    return index
  }
  return {
    description: 'the fake cgroup',
    isExclusive: (hook) => state.exclusive.has(hook),
    attached: (hook, name) => programsAt(hook).filter((each) => each.name === name),
    attach(hook, program, replaced) {
      change(state)
      // Only what `load` made comes here.
      const made = program as FakeProgram
      if (replaced === undefined) state.attachments.set(hook, [...programsAt(hook), made])
      else state.attachments.set(hook, programsAt(hook).with(place(hook, 'PROG_ATTACH', replaced), made))
    },
    detach(hook, program) {
      change(state)
      state.attachments.set(hook, programsAt(hook).toSpliced(place(hook, 'PROG_DETACH', program), 1))
    },
    close: () => {},
  }
}

const mapIds = new WeakMap<object, number>()

const mapPointer = (number: number): Pointer => {
  const memory = opaque(`map number ${number}`)
  mapIds.set(memory, number - MAP_NUMBER_BASE)
  return { memory, offset: 0 }
}

/** A program gets the errno. */
const updated = (update: () => void): bigint => {
  try {
    update()
    return 0n
  } catch (error) {
    if (error instanceof HostError && error.code === 'E2BIG') return BigInt.asUintN(64, -7n)
    throw error
  }
}

interface HelperDeps {
  readonly random: () => number
  readonly now: () => bigint
  readonly cookies: Cookies
  readonly maps: ReadonlyMap<number, FakeMap>
}

const NULL = 0n

const helpersFor = ({ random, now, cookies, maps }: HelperDeps) => {
  const mapAt = ({ memory }: Pointer): FakeMap => {
    const map = maps.get(mapIds.get(memory) ?? -1)
    if (map === undefined) throw new Error(`bpf: ${memory.name} is no map`)
    return map
  }
  const helpers: Readonly<Record<Helper, (args: Arguments) => Word>> = {
    map_lookup_elem(args) {
      const map = mapAt(args.pointer(1))
      return map.lookup(args.bytes(2, map.spec.keySize).toString('latin1')) ?? NULL
    },
    map_update_elem(args) {
      const map = mapAt(args.pointer(1))
      if (args.number(4) !== 0n) throw new Error('bpf: flags of map_update_elem')
      return updated(() => map.update(args.bytes(2, map.spec.keySize).toString('latin1'), args.bytes(3, map.spec.valueSize)))
    },
    map_delete_elem(args) {
      const map = mapAt(args.pointer(1))
      map.delete(args.bytes(2, map.spec.keySize).toString('latin1'))
      return 0n
    },
    ktime_get_ns: () => now(),
    get_socket_cookie(args) {
      if (!args.pointer(1).memory.name.startsWith('context')) throw new Error('bpf: get_socket_cookie without the context')
      return cookies.socket
    },
    get_prandom_u32: () => BigInt(Math.floor(random() * 2 ** 32)),
    sk_storage_get(args) {
      const map = mapAt(args.pointer(1))
      if (args.number(3) !== 0n) throw new Error('bpf: a first value of sk_storage_get')
      return map.ofSocket(socketAt(args.pointer(2)), args.number(4) === 1n) ?? NULL
    },
    get_netns_cookie(args) {
      if (!args.pointer(1).memory.name.startsWith('context')) throw new Error('bpf: get_netns_cookie without the context')
      return cookies.namespace
    },
  }
  const byNumber = new Map(Object.entries(HELPERS).map(([name, number]) => [number as number, helpers[name as Helper]]))
  return (helper: number, args: Arguments): Word => {
    const known = byNumber.get(helper)
    if (known === undefined) throw new Error(`bpf: unknown helper ${helper}`)
    return known(args)
  }
}
