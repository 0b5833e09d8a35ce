import type { ServiceSpec } from '../../../../api/index.ts'
import { type Forwarding, type NodeView, type Packet, serviceForwarding } from '../../../../model/index.ts'
import { endpoint, port, service, slice, vips } from '../../../../model/testing/index.ts'
import type { Change } from '../../../backend.ts'
import { createIpvsBackend, type IpvsBackendOptions } from '../index.ts'
import { type FakeKernel, fakeKernel } from './fake-kernel.ts'

/** The node of the tests. */
export const node: NodeView = {
  name: 'n1',
  addresses: ['192.0.2.1'],
  podCIDRs: ['10.1.1.0/24'],
  nodePortAddresses: ['192.0.2.1'],
}
export const serviceCIDRs = ['10.96.0.0/16']

/** Where Service `web` is. */
export const WEB = { address: '10.96.0.10', port: 80 }

/** Service `web` with these pods behind it, on this node unless they are in 10.1.2.0/24. */
export const web = (pods: readonly string[], spec: Partial<ServiceSpec> = {}, vip?: string): Forwarding => {
  const { ports = [port(80)] } = spec
  const object = service('web', spec, vip === undefined ? {} : { status: vips(vip) })
  const endpoints = pods.map((address) => endpoint(address, { nodeName: address.startsWith('10.1.2.') ? 'n2' : 'n1' }))
  const slicePorts = ports.map(({ protocol, name = '' }) => ({ port: 8080, protocol, name }))
  const meaning = serviceForwarding({ service: object, slices: [slice('web', endpoints, { ports: slicePorts })], node }, 'IPv4')
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}

export const change = (set: readonly Forwarding[], full = false): Change => ({ full, set, delete: [], node })

/** A packet to Service `web`, or to elsewhere; its class follows from its source. */
export const from = (address: string, destination = WEB, protocol: Packet['protocol'] = 'TCP'): Packet => ({
  source: { class: address.startsWith('10.1.') ? 'pod' : address === '192.0.2.1' ? 'node' : 'outside', address },
  destination,
  protocol,
})

/** A backend on a fake kernel of its own. */
export const opened = (options: Partial<IpvsBackendOptions> = {}) => {
  const kernel = fakeKernel()
  return { kernel, backend: createIpvsBackend({ kernel, serviceCIDRs, ...options }) }
}

/** The weights of the real servers of `web`, by the last number of their addresses. */
export const weights = async (kernel: FakeKernel, protocol = 'tcp'): Promise<Readonly<Record<string, number>>> => {
  const servers = await kernel.ipvs.read()
  const found = servers.find((each) => each.protocol === protocol && each.address === WEB.address)
  return Object.fromEntries((found?.reals ?? []).map(({ address, weight }) => [address.split('.').at(-1) ?? '', weight]))
}
