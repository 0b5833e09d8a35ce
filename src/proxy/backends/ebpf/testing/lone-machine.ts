import type { IPFamily } from '../../../../ip/index.ts'
import { type FakeBpf, type FakeBpfOptions, type FakeSocket, fakeBpf, type Peer } from '../../../../kernel/bpf/testing/index.ts'
import { type Forwarding, type NodeView, serviceForwarding } from '../../../../model/index.ts'
import { endpoint, port, service, slice, vips } from '../../../../model/testing/index.ts'
import type { Backend } from '../../../backend.ts'
import { type FakeBackend, fakeBackend } from '../../../testing/index.ts'
import { createEbpfBackend, type EbpfBackendOptions } from '../index.ts'
import { NODE_COOKIE } from './socket-world.ts'

/** The mode on a fake kernel and over a fake backend, for what the conformance suite does not ask. */
export interface LoneMachine {
  readonly bpf: FakeBpf
  readonly inner: FakeBackend
  readonly backend: Backend
  /** As another process would, on the same kernel and the same backend beneath. */
  another(options?: Partial<EbpfBackendOptions>): Backend
  /** A full change, or one that sets and deletes. */
  sync(set: readonly Forwarding[], options?: { readonly full?: boolean; readonly gone?: readonly string[] }): Promise<void>
  socket(protocol: 'TCP' | 'UDP', options?: { readonly cookie?: bigint; readonly family?: IPFamily }): FakeSocket
  /** Changed elements while `work` runs. */
  writesOf(work: () => Promise<void>): Promise<number>
}

export const node: NodeView = {
  name: 'n1',
  addresses: ['192.0.2.1', '10.1.1.254'],
  podCIDRs: ['10.1.1.0/24'],
  nodePortAddresses: ['192.0.2.1'],
}

export const POD_COOKIE = 7_000n
/** Of a namespace that is no pod's. */
export const STRANGER_COOKIE = 8_000n

export const loneMachine = (options: Partial<EbpfBackendOptions> & FakeBpfOptions = {}): LoneMachine => {
  const bpf = fakeBpf({ cookie: NODE_COOKIE, ...options })
  bpf.addNamespace({ cookie: POD_COOKIE, addresses: ['127.0.0.1', '10.1.1.9'] })
  bpf.addNamespace({ cookie: STRANGER_COOKIE, addresses: ['172.17.0.2'] })
  const inner = fakeBackend()
  const another = (rest: Partial<EbpfBackendOptions> = {}) => createEbpfBackend({ bpf, inner, ...options, ...rest })
  const backend = another()
  return {
    bpf,
    inner,
    backend,
    another,
    sync: (set, { full = false, gone = [] } = {}) => backend.sync({ full, set, delete: gone, node }),
    socket: (protocol, { cookie = NODE_COOKIE, family = 'IPv4' } = {}) => bpf.openSocket({ protocol, cookie, family }),
    async writesOf(work) {
      const before = bpf.writes
      await work()
      return bpf.writes - before
    },
  }
}

type Ports = Parameters<typeof port>[1]

/** Service `name` at 10.96.0.`index` with these pods: port 80 of these protocols. */
export const web = (
  pods: readonly string[],
  rest: {
    readonly name?: string
    readonly index?: number
    readonly protocols?: readonly ('TCP' | 'UDP')[]
    readonly spec?: Parameters<typeof service>[1]
    readonly port?: Ports
    readonly vip?: string
  } = {},
): Forwarding => {
  const { name = 'web', index = 10, protocols = ['TCP'], spec = {} } = rest
  const clusterIP = `10.96.0.${index}`
  const ports = protocols.map((protocol) => port(80, { name: protocol.toLowerCase(), protocol, ...rest.port }))
  const object = service(
    name,
    { clusterIP, clusterIPs: [clusterIP], ports, ...spec },
    rest.vip === undefined ? {} : { status: vips(rest.vip) },
  )
  const slicePorts = protocols.map((protocol) => ({ port: 8080, protocol, name: protocol.toLowerCase() }))
  const endpoints = pods.map((address) => endpoint(address, { nodeName: 'n1' }))
  const meaning = serviceForwarding({ service: object, slices: [slice(name, endpoints, { ports: slicePorts })], node }, 'IPv4')
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}

export const at = (address: string, number = 80): Peer => ({ address, port: number })
