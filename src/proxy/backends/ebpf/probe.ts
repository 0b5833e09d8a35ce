import { release } from 'node:os'
import { errorCode, errorMessage } from '../../../base/index.ts'
import { HostError } from '../../../host/index.ts'
import type { Libc, NoLibc } from '../../../host/native/index.ts'
import { type Bpf, type BpfMap, type Cgroup, createBpf } from '../../../kernel/bpf/index.ts'
import { mapSpecs } from './layout.ts'
import { HOOKS, servicePrograms } from './programs/index.ts'

export interface ProbeOptions {
  readonly libc: Libc | NoLibc
  /** The node's network namespace when it is not this process' own. */
  readonly namespace?: string
  /** Folder of the cgroup whose processes are served; the root of the tree unless told. */
  readonly cgroup?: string
}

/** On what it would run, or why it cannot and what to do about it, in one line. */
export type EbpfOffer = { readonly usable: string } | { readonly refusal: string }

/** Whether the ebpf mode can be used here: makes small maps and loads the very programs, but attaches none. */
export const probeEbpf = async ({ libc, namespace, cgroup }: ProbeOptions): Promise<EbpfOffer> => {
  if ('missing' in libc) return { refusal: `${libc.missing}; install the optional dependency koffi` }
  try {
    return await probeBpf(createBpf({ libc, ...(namespace === undefined ? {} : { namespace }) }), cgroup)
  } catch (error) {
    return { refusal: obstacle('bpf(2)', error) }
  }
}

const TINY = { frontends: 16, endpoints: 16 }

export const probeBpf = async (bpf: Bpf, folder: string | undefined): Promise<EbpfOffer> => {
  let cgroup: Cgroup
  try {
    cgroup = await bpf.openCgroup(folder)
  } catch (error) {
    const now = folder === undefined ? 'mount cgroup v2 (mount -t cgroup2 none /sys/fs/cgroup) or run as root' : 'check its path'
    return { refusal: `${folder ?? 'cgroup v2'} cannot be opened: ${errorMessage(error)}; ${now}` }
  }
  const maps = new Map<string, BpfMap>()
  try {
    const taken = HOOKS.find((hook) => cgroup.isExclusive(hook))
    if (taken !== undefined) {
      return {
        refusal: `another program keeps ${taken} of ${cgroup.description} for itself; see bpftool cgroup show, and detach it`,
      }
    }
    for (const [name, spec] of Object.entries(mapSpecs(TINY))) maps.set(name, bpf.createMap(spec))
    for (const program of servicePrograms({ name: 'fairway_probe', nodeCookie: bpf.networkCookie() }))
      bpf.load(program, maps).close()
    return { usable: `kernel ${release()}, ${cgroup.description}` }
  } catch (error) {
    return { refusal: obstacle(cgroup.description, error) }
  } finally {
    for (const map of maps.values()) map.close()
    cgroup.close()
  }
}

const obstacle = (where: string, error: unknown): string => {
  if (!(error instanceof HostError)) return errorMessage(error)
  const now = advice(errorCode(error))
  return `${where}: ${error.message.slice(0, 300)}${now === undefined ? '' : `; ${now}`}`
}

const advice = (code: string | undefined): string | undefined => {
  switch (code) {
    case 'EPERM':
    case 'EACCES':
      return 'run as root, or grant CAP_SYS_ADMIN, CAP_BPF and CAP_NET_ADMIN'
    case 'ENOSYS':
    case 'EINVAL':
    case 'ENOPROTOOPT':
    case 'ENOTSUP':
    case 'EOPNOTSUPP':
      return 'kernel 5.14 or newer is needed, with CONFIG_CGROUP_BPF and CONFIG_BPF_SYSCALL'
    default:
      return undefined
  }
}
