import type { Faults } from './faults.ts'
import type { Forwarding } from './forwarding/contract.ts'
import { groupsOf, type Listener, type LoadBalancer } from './model.ts'
import type { State } from './state.ts'

export interface View {
  readonly region: string
  readonly tasks: { readonly running: number; readonly failed: number }
  readonly faults: number
  readonly loadBalancers: readonly LoadBalancerView[]
}

export interface LoadBalancerView extends Omit<LoadBalancer, 'listeners'> {
  readonly tags: Readonly<Record<string, string>>
  readonly listeners: readonly ListenerView[]
}

export interface ListenerView {
  readonly id: string
  readonly name: string
  readonly protocol: string
  readonly port: number
  /** `127.210.3.4:20080`, or why not. */
  readonly listening: string
  readonly groups: readonly GroupView[]
}

export interface GroupView {
  readonly id: string
  /** Of a rule: `host/path`. */
  readonly rule: string
  readonly scheduler: string
  readonly redirectsTo: string
  readonly targets: readonly {
    readonly at: string
    readonly instance: string
    readonly weight: number
    readonly health: string
  }[]
}

interface Sources {
  readonly faults: Faults
  readonly forwarding: Forwarding
  readonly region: string
}

/** What `GET /_emulator/state` tells, and the page shows. */
export const viewOf = ({ loadBalancers, tags, tasks }: State, { faults, forwarding, region }: Sources): View => {
  const all = [...tasks.values()]
  return {
    region,
    tasks: {
      running: all.filter(({ status }) => status === 'running').length,
      failed: all.filter(({ status }) => status === 'failed').length,
    },
    faults: faults.list().length,
    loadBalancers: [...loadBalancers.values()].map((one) => ({
      ...one,
      tags: tags.get(one.id) ?? {},
      listeners: one.listeners.map((listener) => listenerView(listener, forwarding)),
    })),
  }
}

const listenerView = (listener: Listener, forwarding: Forwarding): ListenerView => {
  const listening = forwarding.listeningOf(listener.id)
  const where =
    listening === undefined ? 'nowhere' : 'problem' in listening ? listening.problem : `${listening.address}:${listening.port}`
  return {
    id: listener.id,
    name: listener.name,
    protocol: listener.protocol,
    port: listener.port,
    listening: where,
    groups: groupsOf(listener).map((group) => ({
      id: group.id,
      rule: 'url' in group ? `${group.domains.join(',')}${group.url}` : '',
      scheduler: group.scheduler,
      redirectsTo: 'rewrite' in group && group.rewrite !== undefined ? group.rewrite.locationId : '',
      targets: group.targets.map((target) => ({
        at: `${target.address}:${target.port}`,
        instance: target.kind === 'CVM' ? target.id : '',
        weight: target.weight,
        health: forwarding.healthOf(group, target),
      })),
    })),
  }
}
