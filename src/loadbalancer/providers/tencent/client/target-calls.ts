import type { Caller } from './caller.ts'
import { type Json, recordsIn, textIn, textsIn } from './json.ts'
import type { PlacedTarget } from './model.ts'
import { chunks, placeParams, targetParams } from './params.ts'

/** Listeners that could not have theirs in a batch that was answered as a success, with the reason. */
export type BatchFailures = ReadonlyMap<string, string>

const MAX_BATCH = 500
const MAX_WEIGHT_TARGETS = 50
const MAX_WEIGHT_PLACES = 100
const MAX_FILTER_VALUES = 5

export const targetCalls = (caller: Caller) => ({
  registerTargets: (id: string, targets: readonly PlacedTarget[], signal: AbortSignal): Promise<BatchFailures> =>
    batch(
      caller,
      { id, action: 'BatchRegisterTargets', targets: targets.map((one) => ({ ...placed(one), Weight: one.weight })) },
      signal,
    ),
  deregisterTargets: (id: string, targets: readonly PlacedTarget[], signal: AbortSignal): Promise<BatchFailures> =>
    batch(caller, { id, action: 'BatchDeregisterTargets', targets: targets.map(placed) }, signal),
  /** Sets each target's `weight`. */
  async modifyWeights(id: string, targets: readonly PlacedTarget[], signal: AbortSignal): Promise<void> {
    for (const ModifyList of weightLists(targets)) {
      const params = { LoadBalancerId: id, ModifyList }
      await caller.write(id, { service: 'clb', action: 'BatchModifyTargetWeight', params }, signal)
    }
  },
  /** Ids of instances by their private address; an address that nobody has is left out. */
  async instanceIds(addresses: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>()
    for (const Values of chunks(addresses, MAX_FILTER_VALUES)) {
      const params = { Filters: [{ Name: 'private-ip-address', Values }], Limit: 100 }
      const { response } = await caller.repeatable({ service: 'cvm', action: 'DescribeInstances', params }, signal)
      for (const instance of recordsIn(response, 'InstanceSet')) {
        const id = textIn(instance, 'InstanceId')
        if (id === undefined) continue
        for (const address of textsIn(instance, 'PrivateIpAddresses')) if (Values.includes(address)) found.set(address, id)
      }
    }
    return found
  },
})

const placed = (target: PlacedTarget): Json => ({ ...placeParams(target), ...targetParams(target) })

interface Batch {
  readonly id: string
  readonly action: 'BatchRegisterTargets' | 'BatchDeregisterTargets'
  readonly targets: readonly Json[]
}

const batch = async (caller: Caller, { id, action, targets }: Batch, signal: AbortSignal): Promise<BatchFailures> => {
  const failures = new Map<string, string>()
  for (const Targets of chunks(targets, MAX_BATCH)) {
    const { response } = await caller.writeAtOnce(id, { service: 'clb', action, params: { LoadBalancerId: id, Targets } }, signal)
    const message = textIn(response, 'Message') ?? 'no reason given'
    for (const listener of textsIn(response, 'FailListenerIdSet')) failures.set(listener, `${action}: ${message.slice(0, 300)}`)
  }
  return failures
}

/** Requests' worth of lists, within the limits on lists, on targets of a list, and on targets of a request. */
const weightLists = (targets: readonly PlacedTarget[]): readonly (readonly Json[])[] => {
  const places = new Map<string, PlacedTarget[]>()
  for (const target of targets) {
    const place = `${target.listenerId} ${target.locationId ?? ''}`
    places.set(place, [...(places.get(place) ?? []), target])
  }
  const lists = [...places.values()].flatMap((all) => chunks(all, MAX_WEIGHT_TARGETS))
  const perRequest = Math.min(MAX_WEIGHT_PLACES, MAX_BATCH / MAX_WEIGHT_TARGETS)
  return chunks(
    lists.flatMap(([...some]) => {
      const [first] = some
      if (first === undefined) return []
      return [{ ...placeParams(first), Targets: some.map((one) => ({ ...targetParams(one), Weight: one.weight })) }]
    }),
    perRequest,
  )
}
