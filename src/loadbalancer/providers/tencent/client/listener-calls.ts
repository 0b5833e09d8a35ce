import type { Caller } from './caller.ts'
import { recordsIn, textsIn } from './json.ts'
import type { GroupSettings, ListenerInfo, ListenerProtocol } from './model.ts'
import { certificateParams, chunks, settingsParams } from './params.ts'
import { readListener, readTargets, type TargetsOfListener } from './read.ts'

export interface NewListener {
  readonly name: string
  readonly protocol: ListenerProtocol
  readonly port: number
  readonly isSni: boolean
  readonly certificates: readonly string[]
  readonly settings: GroupSettings
}

export interface ListenerChanges {
  readonly isSni?: boolean
  readonly certificates?: readonly string[]
  readonly settings?: GroupSettings
}

const MAX_CREATED = 50
const MAX_LISTENERS = 20

export const listenerCalls = (caller: Caller) => ({
  /** Every listener with its rules and targets. */
  async describeListeners(id: string, signal: AbortSignal): Promise<readonly ListenerInfo[]> {
    const params = { LoadBalancerId: id }
    const { response } = await caller.repeatable({ service: 'clb', action: 'DescribeListeners', params }, signal)
    const listeners = recordsIn(response, 'Listeners')
    const ids = listeners.map(({ ListenerId }) => String(ListenerId))
    const targets = new Map<string, TargetsOfListener>()
    for (const ListenerIds of chunks(ids, MAX_LISTENERS)) {
      const call = { service: 'clb', action: 'DescribeTargets', params: { LoadBalancerId: id, ListenerIds } } as const
      for (const [listener, its] of readTargets((await caller.repeatable(call, signal)).response)) targets.set(listener, its)
    }
    return listeners.flatMap((json) => readListener(json, targets.get(String(json['ListenerId']))) ?? [])
  },
  /** Protocols and ports only, in one call. */
  async listListeners(id: string, signal: AbortSignal): Promise<readonly ListenerInfo[]> {
    const params = { LoadBalancerId: id }
    const { response } = await caller.repeatable({ service: 'clb', action: 'DescribeListeners', params }, signal)
    return recordsIn(response, 'Listeners').flatMap((json) => readListener(json, undefined) ?? [])
  },
  /** Listeners that differ in port and name only; resolves with their ids in that order. */
  async createListeners(id: string, all: readonly NewListener[], signal: AbortSignal): Promise<readonly string[]> {
    const ids: string[] = []
    for (const some of chunks(all, MAX_CREATED)) {
      const [first] = some
      if (first === undefined) break
      const params = {
        LoadBalancerId: id,
        Protocol: first.protocol,
        Ports: some.map(({ port }) => port),
        ListenerNames: some.map(({ name }) => name),
        ...(first.isSni ? { SniSwitch: 1 } : {}),
        ...certificateParams(first.certificates),
        ...settingsParams(first.settings),
      }
      const { response } = await caller.write(id, { service: 'clb', action: 'CreateListener', params }, signal)
      ids.push(...textsIn(response, 'ListenerIds'))
    }
    return ids
  },
  async modifyListener(id: string, listenerId: string, changes: ListenerChanges, signal: AbortSignal): Promise<void> {
    const params = {
      LoadBalancerId: id,
      ListenerId: listenerId,
      ...(changes.isSni === true ? { SniSwitch: 1 } : {}),
      ...certificateParams(changes.certificates ?? []),
      ...settingsParams(changes.settings ?? {}),
    }
    await caller.write(id, { service: 'clb', action: 'ModifyListener', params }, signal)
  },
  /** Without ids nothing is done: the API would take that for all. */
  async deleteListeners(id: string, listenerIds: readonly string[], signal: AbortSignal): Promise<void> {
    for (const ListenerIds of chunks(listenerIds, MAX_LISTENERS)) {
      const params = { LoadBalancerId: id, ListenerIds }
      await caller.write(id, { service: 'clb', action: 'DeleteLoadBalancerListeners', params }, signal)
    }
  },
})
