import { closeSync, constants, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { HostError } from '../../host/index.ts'
import { type BpfCalls, type BpfMapInfo, type Libc, networkCookie, openBpf, openCgroupRoot } from '../../host/native/index.ts'
import { assemble, mapsOf } from './assemble.ts'
import { cgroupMount } from './cgroup-mount.ts'
import { packed, unpacked } from './elements.ts'
import { linkedNamespaces } from './namespaces.ts'
import type { Bpf, BpfMap, Cgroup, Hook, LoadedProgram, MapKind, MapSpec, Program } from './objects.ts'
import { KEY_TYPE, storageTypes, VALUE_TYPE } from './types.ts'

export interface BpfOptions {
  readonly libc: Libc
  /** The node's network namespace when it is not this process' own, such as `/run/netns/node-1`. */
  readonly namespace?: string
}

/** {@link Bpf} of this kernel. Needs CAP_SYS_ADMIN; throws `HostError` on machines whose system call numbers are not known. */
export const createBpf = ({ libc, namespace }: BpfOptions): Bpf => {
  const calls = openBpf(libc)
  return {
    async openCgroup(folder) {
      const path = folder ?? cgroupMount(await readFile('/proc/self/mountinfo', 'utf8'))
      if (path === undefined) return cgroup(calls, openCgroupRoot(libc), 'cgroup v2 through a mount of our own')
      return cgroup(calls, openSync(path, constants.O_RDONLY | constants.O_DIRECTORY), `cgroup v2 at ${path}`)
    },
    createMap: (spec) => createMap(calls, spec),
    openMap(id) {
      const fd = unlessGone(() => calls.mapById(id))
      if (fd === undefined) return undefined
      const spec = specOf(calls.mapInfo(fd))
      if (spec !== undefined) return map(calls, { fd, id, spec })
      closeSync(fd)
      return undefined
    },
    load: (program, maps) => load(calls, program, maps),
    networkCookie: () => networkCookie(libc, namespace),
    linkedNamespaces: () => linkedNamespaces({ libc, namespace }),
  }
}

/** `enum bpf_map_type`. */
const KINDS: Readonly<Record<MapKind, number>> = { hash: 1, array: 2, 'lru hash': 9, 'socket storage': 24 }
/** Memory as it is used; an LRU's and an array's is taken at once. */
const BPF_F_NO_PREALLOC = 1
const FLAGS: Readonly<Record<MapKind, number>> = {
  hash: BPF_F_NO_PREALLOC,
  array: 0,
  'lru hash': 0,
  'socket storage': BPF_F_NO_PREALLOC,
}
/** `enum bpf_prog_type`. */
const BPF_PROG_TYPE_CGROUP_SOCK = 9
const BPF_PROG_TYPE_CGROUP_SOCK_ADDR = 18
/** `enum bpf_attach_type`. */
const HOOKS: Readonly<Record<Hook, number>> = {
  connect4: 10,
  connect6: 11,
  sendmsg4: 14,
  sendmsg6: 15,
  recvmsg4: 19,
  recvmsg6: 20,
  getpeername4: 29,
  getpeername6: 30,
  sock_release: 34,
}

/** Ours. The kernel keeps some helpers for programs under the GPL; none of those is used. */
const LICENSE = 'Apache-2.0'

const createMap = (calls: BpfCalls, spec: MapSpec): BpfMap => {
  const { name, kind, keySize, valueSize, maxEntries } = spec
  const attributes = { name, type: KINDS[kind], flags: FLAGS[kind], keySize, valueSize }
  const create = (): number => {
    if (kind !== 'socket storage') return calls.createMap({ ...attributes, maxEntries })
    const btf = calls.loadTypes(storageTypes(valueSize))
    try {
      return calls.createMap({ ...attributes, maxEntries: 0, types: { btf, key: KEY_TYPE, value: VALUE_TYPE } })
    } finally {
      closeSync(btf)
    }
  }
  const fd = create()
  return map(calls, { fd, id: calls.mapInfo(fd).id, spec })
}

const specOf = ({ name, type, flags, keySize, valueSize, maxEntries }: BpfMapInfo): MapSpec | undefined => {
  const kind = (Object.keys(KINDS) as MapKind[]).find((each) => KINDS[each] === type && FLAGS[each] === flags) // its own keys
  return kind === undefined ? undefined : { name, kind, keySize, valueSize, maxEntries }
}

const map = (
  calls: BpfCalls,
  { fd, id, spec }: { readonly fd: number; readonly id: number; readonly spec: MapSpec },
): BpfMap => ({
  id,
  spec,
  read() {
    const { keys, values } = calls.dump(fd, spec)
    return unpacked(keys, values, spec)
  },
  get: (key) => calls.lookupElement(fd, Buffer.from(key, 'latin1'), spec.valueSize)?.toString('latin1'),
  update(elements) {
    const { count, keys, values } = packed(elements, spec)
    calls.updateElements(fd, keys, values, count)
  },
  delete(keys) {
    const zeros = '\0'.repeat(spec.valueSize)
    if (spec.kind === 'array') return this.update(new Map(Array.from(keys, (key) => [key, zeros])))
    for (const key of keys) calls.deleteElement(fd, Buffer.from(key, 'latin1'))
  },
  close: () => closeSync(fd),
})

const load = (calls: BpfCalls, { name, hook, instructions }: Program, maps: ReadonlyMap<string, BpfMap>): LoadedProgram => {
  // A map's number in this process is a matter of the moment.
  const opened = new Map<string, number>()
  try {
    for (const each of mapsOf(instructions)) {
      const known = maps.get(each)
      if (known === undefined) throw new Error(`bpf: program ${hook} uses map ${each}, which is not given`)
      opened.set(each, calls.mapById(known.id))
    }
    const bytes = assemble(instructions, (each) => opened.get(each) ?? -1)
    const fd = calls.loadProgram({
      type: hook === 'sock_release' ? BPF_PROG_TYPE_CGROUP_SOCK : BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
      attachType: HOOKS[hook],
      name,
      instructions: bytes,
      license: LICENSE,
    })
    return loaded(calls, fd)
  } finally {
    for (const fd of opened.values()) closeSync(fd)
  }
}

interface KernelProgram extends LoadedProgram {
  readonly fd: number
}

const loaded = (calls: BpfCalls, fd: number): KernelProgram => {
  const { tag, mapIds } = calls.programInfo(fd)
  return { fd, tag, mapIds, close: () => closeSync(fd) }
}

/** Programs of this module are all made by `loaded`. */
const fdOf = (program: LoadedProgram): number => {
  if ('fd' in program && typeof program.fd === 'number') return program.fd
  throw new Error('bpf: a program of another kernel')
}

const cgroup = (calls: BpfCalls, fd: number, description: string): Cgroup => ({
  description,
  isExclusive: (hook) => calls.attached(fd, HOOKS[hook]).isExclusive,
  attached(hook, name) {
    const found: LoadedProgram[] = []
    for (const id of calls.attached(fd, HOOKS[hook]).programIds) {
      const program = unlessGone(() => calls.programById(id))
      if (program === undefined) continue
      if (calls.programInfo(program).name === name) found.push(loaded(calls, program))
      else closeSync(program)
    }
    return found
  },
  attach(hook, program, replaced) {
    const place = { cgroup: fd, program: fdOf(program), attachType: HOOKS[hook] }
    calls.attach(replaced === undefined ? place : { ...place, replaced: fdOf(replaced) })
  },
  detach: (hook, program) => calls.detach({ cgroup: fd, program: fdOf(program), attachType: HOOKS[hook] }),
  close: () => closeSync(fd),
})

/** Between its id and a look at it another process may have ended an object. */
const unlessGone = (open: () => number): number | undefined => {
  try {
    return open()
  } catch (error) {
    if (error instanceof HostError && error.code === 'ENOENT') return undefined
    throw error
  }
}
