import { type Namespace, type Node, type NodeSpec, namespaceKind, nodeKind } from '../index.ts'
import { Builder, storedMetadata } from './builder.ts'

export class NodeBuilder extends Builder<Node> {
  spec(change: Partial<NodeSpec>): this {
    return this.with((object) => ({ ...object, spec: { ...object.spec, ...change } }))
  }

  /** Its internal addresses, primary first. */
  ip(...ips: readonly string[]): this {
    const addresses = ips.map((address) => ({ type: 'InternalIP', address }))
    return this.with((object) => ({ ...object, status: { ...object.status, addresses } }))
  }

  zone(zone: string): this {
    return this.labels({ 'topology.kubernetes.io/zone': zone })
  }

  podCIDR(...podCIDRs: readonly [string, ...string[]]): this {
    return this.spec({ podCIDR: podCIDRs[0], podCIDRs })
  }

  ready(isReady = true): this {
    const conditions = [{ type: 'Ready', status: isReady ? ('True' as const) : ('False' as const) }]
    return this.with((object) => ({ ...object, status: { ...object.status, conditions } }))
  }
}

/** A ready Node. */
export const node = (name: string): NodeBuilder =>
  new NodeBuilder(nodeKind, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { ...storedMetadata(nodeKind, name), labels: { 'kubernetes.io/hostname': name } },
    spec: {},
  }).ready()

export class NamespaceBuilder extends Builder<Namespace> {
  terminating(): this {
    return this.deleted().with((object) => ({ ...object, status: { phase: 'Terminating' } }))
  }
}

export const namespace = (name: string): NamespaceBuilder =>
  new NamespaceBuilder(namespaceKind, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: storedMetadata(namespaceKind, name),
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  })
