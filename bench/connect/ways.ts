import type { Libc } from '../../src/host/native/index.ts'
import { createBpf } from '../../src/kernel/bpf/index.ts'
import type { TestCgroup } from '../../src/kernel/bpf/testing/index.ts'
import { createIptables } from '../../src/kernel/iptables/index.ts'
import { createNft } from '../../src/kernel/nft/index.ts'
import type { Target } from '../../src/model/index.ts'
import type { Backend } from '../../src/proxy/backend.ts'
import { createEbpfBackend, nothing } from '../../src/proxy/backends/ebpf/index.ts'
import { createIptablesBackend } from '../../src/proxy/backends/iptables/index.ts'
import { createNftablesBackend } from '../../src/proxy/backends/nftables/index.ts'
import { ALL, DIRECT, HUNDRED, NODE, ONE, SERVICE_CIDR } from './services.ts'
import type { BenchNode } from './world.ts'

export interface WayDeps {
  readonly node: BenchNode
  readonly libc: Libc
  readonly cgroup: TestCgroup
}

/** A network namespace with Services carried in one mode, and what its client connects to. */
export interface Way {
  readonly name: string
  readonly paths: readonly Path[]
  /** Whether its client is in the cgroup of the bench. */
  readonly isInCgroup?: boolean
  /** Gives the backend that is loaded, where it is in this process. */
  prepare(deps: WayDeps): Promise<Backend | undefined>
}

export interface Path {
  readonly name: string
  readonly targets: readonly Target[]
}

const load = async (backend: Backend): Promise<Backend> => {
  await backend.sync({ full: true, set: ALL, delete: [], node: NODE })
  return backend
}

const nftables = ({ node, libc }: WayDeps): Backend =>
  createNftablesBackend({ nft: createNft(node.exec, { libc, namespace: node.path }), serviceCIDRs: [SERVICE_CIDR] })

const ebpf = ({ node, libc, cgroup }: WayDeps, inner: Backend): Backend =>
  createEbpfBackend({
    bpf: createBpf({ libc, namespace: node.path }),
    inner,
    cgroup: cgroup.folder,
    instance: `fw_${node.name.slice(-3).replace('-', '_')}`,
  })

const through = (name: string): readonly Path[] => [
  { name, targets: ONE },
  { name: `${name}, 100 Services in turn`, targets: HUNDRED },
]
/** What the mode costs connections that no Service is for. */
const beside = (name: string): Path => ({ name: `direct beside ${name}`, targets: DIRECT })

/** The least that a kernel must do to translate: one rule, that names one Service and one endpoint. */
export const SINGLE_DNAT = 'a single dnat rule'
const CONNTRACK = 'conntrack alone'

const [ONLY = { address: '', port: 0 }] = ONE
const [ENDPOINT = { address: '', port: 0 }] = DIRECT

/** A table with one chain and one rule. */
const rule =
  (hook: string, text: string): Way['prepare'] =>
  async ({ node }) => {
    await node.exec(['nft', `table ip floor { chain c { type ${hook} hook output priority -100; ${text}; }; }`])
    return undefined
  }

export const WAYS: readonly Way[] = [
  { name: 'direct', paths: [{ name: 'direct', targets: DIRECT }], prepare: async () => undefined },
  { name: CONNTRACK, paths: [{ name: CONNTRACK, targets: DIRECT }], prepare: rule('filter', 'ct state new accept') },
  {
    name: SINGLE_DNAT,
    paths: [{ name: SINGLE_DNAT, targets: ONE }, beside(SINGLE_DNAT)],
    prepare: rule('nat', `ip daddr ${ONLY.address} tcp dport ${ONLY.port} dnat to ${ENDPOINT.address}:${ENDPOINT.port}`),
  },
  { name: 'nftables', paths: [...through('nftables'), beside('nftables')], prepare: (deps) => load(nftables(deps)) },
  {
    name: 'ebpf',
    paths: [...through('ebpf'), beside('ebpf')],
    isInCgroup: true,
    prepare: (deps) => load(ebpf(deps, nftables(deps))),
  },
  {
    name: 'ebpf programs alone',
    paths: through('ebpf programs alone'),
    isInCgroup: true,
    prepare: (deps) => load(ebpf(deps, nothing)),
  },
  {
    name: 'iptables',
    paths: [...through('iptables'), beside('iptables')],
    prepare: ({ node }) => load(createIptablesBackend({ iptables: createIptables(node.exec), serviceCIDRs: [SERVICE_CIDR] })),
  },
  {
    name: 'userspace',
    paths: through('userspace'),
    async prepare({ node }) {
      await node.start('userspace.ts')
      return undefined
    },
  },
]

const both = (mode: string): readonly string[] => ['direct', mode, `${mode}, 100 Services in turn`]

/** Paths that are measured together, in turn; what is compared is in one group. */
export const GROUPS: readonly (readonly string[])[] = [
  ['direct', CONNTRACK, SINGLE_DNAT, `direct beside ${SINGLE_DNAT}`],
  ['direct', SINGLE_DNAT, 'nftables', 'nftables, 100 Services in turn', 'direct beside nftables'],
  [...both('ebpf'), 'direct beside ebpf'],
  both('ebpf programs alone'),
  [...both('iptables'), 'direct beside iptables'],
  both('userspace'),
]
