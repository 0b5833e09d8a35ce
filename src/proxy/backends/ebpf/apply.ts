import { errorCode } from '../../../base/index.ts'
import type { Bpf, BpfMap, Cgroup, Elements, Hook, LoadedProgram } from '../../../kernel/bpf/index.ts'
import type { Target } from '../../../model/index.ts'
import type { Difference, Tables } from './diff.ts'
import {
  cookieKey,
  endpointBytes,
  type FilledMap,
  type Limits,
  type MapName,
  mapSpecs,
  POD_VALUE,
  peerEndpoint,
} from './layout.ts'
import { HOOKS, servicePrograms } from './programs/index.ts'

export interface LiveOptions {
  readonly bpf: Bpf
  /** Folder of the cgroup; the root of the tree unless told. */
  readonly cgroup: string | undefined
  /** Of the programs ({@link programName}): they are found again by it. */
  readonly name: string
  readonly limits: Limits
}

/** The maps and programs in the kernel. */
export interface LiveMaps {
  /** Takes over what a former process left, else makes it; nothing is attached yet. */
  open(): Promise<void>
  /** What the filled maps hold. */
  read(): Tables
  readMap(map: FilledMap): Elements
  /** Whose sockets are a pod's: all of these, and no others. */
  setPods(cookies: Iterable<bigint>): void
  /** Whether a Service led the UDP socket of this cookie to this endpoint, where it still is. */
  isConnected(cookie: bigint, target: Target): boolean
  /** In an order in which no program finds a number or a count before what it stands for, nor after it is gone. */
  apply(difference: Difference): void
  /** Sees to it that each hook has our program on these maps, once. Gives what had to be mended, for people. */
  attach(): Promise<readonly string[]>
  /** Gives up the handles; programs and maps go on. */
  close(): void
}

export const createLiveMaps = (options: LiveOptions): LiveMaps => {
  let opened: Opened | undefined
  const use = (): Opened => {
    if (opened === undefined) throw new Error('ebpf: the maps are not open')
    return opened
  }
  const readMap = (map: FilledMap): Elements => use().maps.get(map)?.read() ?? new Map()
  return {
    async open() {
      opened ??= await open(options)
    },
    read: () => ({ frontends: readMap('frontends'), slots: readMap('slots'), members: readMap('members') }),
    readMap,
    setPods(cookies) {
      const map = use().maps.get('pods')
      const wanted = new Map(Array.from(cookies, (cookie) => [cookieKey(cookie), POD_VALUE]))
      const known = map?.read() ?? new Map<string, string>()
      const added = new Map([...wanted].filter(([key]) => !known.has(key)))
      if (added.size > 0) map?.update(added)
      map?.delete([...known.keys()].filter((key) => !wanted.has(key)))
    },
    isConnected(cookie, target) {
      const peer = use().maps.get('peers')?.get(cookieKey(cookie))
      return peer !== undefined && peerEndpoint(peer) === endpointBytes(target)
    },
    apply(difference) {
      write(use().maps, difference)
    },
    attach: () => attach(options, use()),
    close() {
      if (opened === undefined) return
      for (const map of opened.maps.values()) map.close()
      opened = undefined
    },
  }
}

interface Opened {
  readonly maps: ReadonlyMap<MapName, BpfMap>
}

/** A map of another shape (another version, other limits) is left to its programs, which go when ours take their place. */
const open = async ({ bpf, cgroup, name, limits }: LiveOptions): Promise<Opened> => {
  const found = await withCgroup(bpf, cgroup, (each) => adoptable(bpf, each, name))
  const specs = mapSpecs(limits)
  const maps = new Map<MapName, BpfMap>()
  try {
    for (const [mapName, spec] of Object.entries(specs) as [MapName, (typeof specs)[MapName]][]) {
      const known = found.get(spec.name)
      const isSame = known !== undefined && JSON.stringify(known.spec) === JSON.stringify(spec)
      maps.set(mapName, isSame ? known : bpf.createMap(spec))
      if (isSame) found.delete(spec.name)
    }
  } catch (error) {
    for (const map of maps.values()) map.close()
    throw error
  } finally {
    for (const map of found.values()) map.close()
  }
  return { maps }
}

/** The maps of programs that a former process attached, by their names; open. */
const adoptable = (bpf: Bpf, cgroup: Cgroup, name: string): Map<string, BpfMap> => {
  const found = new Map<string, BpfMap>()
  const seen = new Set<number>()
  for (const hook of HOOKS) {
    for (const program of ours(bpf, cgroup, { hook, name })) {
      for (const id of program.mapIds) {
        if (seen.has(id)) continue
        seen.add(id)
        const map = bpf.openMap(id)
        if (map === undefined) continue
        if (found.has(map.spec.name)) map.close()
        else found.set(map.spec.name, map)
      }
      program.close()
    }
  }
  return found
}

/** Of the programs with our name, those that use nothing but maps of ours: others may like the name too. */
const ours = (
  bpf: Bpf,
  cgroup: Cgroup,
  { hook, name }: { readonly hook: Hook; readonly name: string },
): readonly LoadedProgram[] =>
  cgroup.attached(hook, name).filter((program) => {
    const isOurs = program.mapIds.every((id) => {
      const map = bpf.openMap(id)
      map?.close()
      return map?.spec.name.startsWith('fw_') === true
    })
    if (!isOurs) program.close()
    return isOurs
  })

const write = (maps: ReadonlyMap<MapName, BpfMap>, { set, remove }: Difference): void => {
  const update = (map: FilledMap): void => {
    if (set[map].size > 0) maps.get(map)?.update(set[map])
  }
  const forget = (map: FilledMap): void => {
    if (remove[map].length > 0) maps.get(map)?.delete(remove[map])
  }
  const updateAll = (): void => {
    for (const map of ['slots', 'members', 'frontends'] as const) update(map)
  }
  const forgetAll = (): void => {
    for (const map of ['frontends', 'slots', 'members'] as const) forget(map)
  }
  try {
    updateAll()
    forgetAll()
  } catch (error) {
    if (errorCode(error) !== 'E2BIG') throw error
    // There is room for what is wanted, but not for what goes beside it. What programs miss for a moment they leave to the inner backend.
    forgetAll()
    updateAll()
  }
}

const attach = ({ bpf, cgroup: folder, name }: LiveOptions, { maps }: Opened): Promise<readonly string[]> =>
  withCgroup(bpf, folder, (cgroup) =>
    servicePrograms({ name, nodeCookie: bpf.networkCookie() }).flatMap((program) => {
      const { hook } = program
      const loaded = bpf.load(program, new Map<string, BpfMap>(maps))
      const found = ours(bpf, cgroup, { hook, name })
      try {
        const kept = found.find((each) => each.tag === loaded.tag && sameIds(each.mapIds, loaded.mapIds))
        const [replaced] = found
        if (kept === undefined) cgroup.attach(hook, loaded, replaced)
        const left = found.filter((each) => (kept === undefined ? each !== replaced : each !== kept))
        for (const each of left) cgroup.detach(hook, each)
        return kept === undefined || left.length > 0 ? [`program ${name} at ${hook} of ${cgroup.description}`] : []
      } finally {
        for (const each of [loaded, ...found]) each.close()
      }
    }),
  )

const sameIds = (a: readonly number[], b: readonly number[]): boolean => {
  const ids = new Set(a)
  return a.length === b.length && b.every((id) => ids.has(id))
}

/** What is attached of this instance, for people, whoever attached it. */
export const attachedPrograms = ({ bpf, cgroup: folder, name }: Omit<LiveOptions, 'limits'>): Promise<readonly string[]> =>
  ifThere(() =>
    withCgroup(bpf, folder, (cgroup) =>
      HOOKS.flatMap((hook) => {
        const programs = ours(bpf, cgroup, { hook, name })
        for (const program of programs) program.close()
        return programs.map(() => `program ${name} at ${hook} of ${cgroup.description}`)
      }),
    ),
  )

/** Takes the programs of this instance off the cgroup, whoever attached them; their maps go with the last one. */
export const detachAll = async ({ bpf, cgroup: folder, name }: Omit<LiveOptions, 'limits'>): Promise<void> => {
  await ifThere(() =>
    withCgroup(bpf, folder, (cgroup) => {
      for (const hook of HOOKS.toReversed()) {
        for (const program of ours(bpf, cgroup, { hook, name })) {
          cgroup.detach(hook, program)
          program.close()
        }
      }
      return []
    }),
  )
}

/** A cgroup that is gone has taken its programs with it. */
const ifThere = async (work: () => Promise<readonly string[]>): Promise<readonly string[]> => {
  try {
    return await work()
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  }
}

/** Open for a moment only: it would keep its mount busy. */
const withCgroup = async <T>(bpf: Bpf, folder: string | undefined, work: (cgroup: Cgroup) => T): Promise<T> => {
  const cgroup = await bpf.openCgroup(folder)
  try {
    return work(cgroup)
  } finally {
    cgroup.close()
  }
}
