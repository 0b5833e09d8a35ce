import type { Backend } from '../backend.ts'
import type { EbpfBackendOptions } from '../backends/ebpf/index.ts'
import type { Mode, ModeDeps } from './mode.ts'
import { nftablesMode } from './nftables.ts'
import { looking } from './refusals.ts'

/** Programs on the cgroup for processes of the node, nftables for all else. */
export const ebpfMode: Mode = {
  name: 'ebpf',
  async open(deps) {
    const { libc, namespace, ebpf } = deps
    const { probeEbpf } = await import('../backends/ebpf/index.ts')
    const offer = await probeEbpf({
      libc: libc ?? NO_LIBC,
      ...(namespace === undefined ? {} : { namespace }),
      ...(ebpf?.cgroup === undefined ? {} : { cgroup: ebpf.cgroup }),
    })
    if ('refusal' in offer) return offer
    const inner = await nftablesMode.open(deps)
    if ('refusal' in inner) return { refusal: `nftables, which carries what comes from outside: ${inner.refusal}` }
    return { backend: await ebpfBackend(deps, inner.backend), reason: `${offer.usable}; from outside ${inner.reason}` }
  },
  async leftovers(deps) {
    if (deps.libc === undefined) return { found: [], unknown: NO_LIBC.missing }
    const { ebpfLeftovers } = await import('../backends/ebpf/index.ts')
    const options = await ebpfOptions(deps)
    return looking(() => ebpfLeftovers(options))
  },
  // The tables are the other mode's, which may go on with them.
  async cleanup(deps) {
    const { createEbpfBackend, nothing } = await import('../backends/ebpf/index.ts')
    await createEbpfBackend({ ...(await ebpfOptions(deps)), inner: nothing }).cleanup()
  },
}

const NO_LIBC = { missing: 'there is no native library for bpf(2)' }

const ebpfOptions = async ({ libc, namespace, tableName, ebpf }: ModeDeps) => {
  if (libc === undefined) throw new Error(NO_LIBC.missing)
  const { createBpf } = await import('../../kernel/bpf/index.ts')
  return {
    bpf: createBpf({ libc, ...(namespace === undefined ? {} : { namespace }) }),
    ...(ebpf?.cgroup === undefined ? {} : { cgroup: ebpf.cgroup }),
    ...(tableName === undefined ? {} : { instance: tableName }),
  }
}

const ebpfBackend = async (deps: ModeDeps, inner: Backend): Promise<Backend> => {
  const { createEbpfBackend } = await import('../backends/ebpf/index.ts')
  return createEbpfBackend({ ...(await ebpfOptions(deps)), inner, ...(await freeSockets(deps)) })
}

/** Without it programs with a connected UDP socket keep an endpoint that is gone. */
const freeSockets = async ({ libc, exec, log }: ModeDeps): Promise<Pick<EbpfBackendOptions, 'freeSockets'>> => {
  const { createSocketFreer, networkNamespaces, openSockDiag } = await import('../../kernel/sockdiag/index.ts')
  const opened = await openSockDiag({ libc: libc ?? NO_LIBC, exec })
  if ('missing' in opened) {
    log.warn('connected UDP sockets stay with endpoints that are gone', { reason: opened.missing })
    return {}
  }
  const { sockDiag } = opened
  return {
    // Whoever asked for the pod itself keeps its socket: only those that a Service led there are ended.
    freeSockets: async (endpoint) => {
      const isOurs = ({ cookie }: { readonly cookie: bigint }): boolean => endpoint.isServed(cookie)
      await createSocketFreer({ sockDiag, namespaces: networkNamespaces, isOurs })(endpoint)
    },
  }
}
