import { type EndpointSlice, type Endpoints, endpointsKind } from '../../api/index.ts'
import type { Clock, Component, Logger } from '../../base/index.ts'
import { type Client, createEventRecorder } from '../../client/index.ts'
import { again, DONE, type Outcome } from '../../informers/index.ts'
import { serviceOfSlice } from '../../model/index.ts'
import type { ControllerInformers } from '../caches.ts'
import { applySlices } from '../endpointslice/apply.ts'
import { diffSlices } from '../endpointslice/diff.ts'
import { MANAGED_BY_LABEL } from '../endpointslice/labels.ts'
import { createLoop, keyOf, parseKey } from '../loop.ts'
import { createWriteMemory } from '../write-memory.ts'
import { isMirrored, MIRRORING_MANAGED_BY, mirroredAnnotations, mirroredEndpoints, mirroredLabels } from './desired.ts'

export interface EndpointSliceMirroringControllerDeps {
  readonly client: Client
  readonly informers: Pick<ControllerInformers, 'services' | 'endpoints' | 'endpointSlices'>
  readonly clock: Clock
  readonly log: Logger
}

const CATCH_UP_MS = 1_000
const MAX_ENDPOINTS_PER_SLICE = 1000

/** Keeps EndpointSlices equal to Endpoints that were written by hand, since everything that forwards reads slices. */
export const createEndpointSliceMirroringController = (deps: EndpointSliceMirroringControllerDeps): Component => {
  const { client, informers, clock, log } = deps
  const { services, endpoints, endpointSlices } = informers
  const memory = createWriteMemory<EndpointSlice>(endpointSlices, clock)
  const events = createEventRecorder({ client, component: 'endpoint-slice-mirroring-controller', clock, log })

  const reconcile = async (key: string, signal: AbortSignal): Promise<Outcome> => {
    if (!memory.isCaughtUp(key)) return again(CATCH_UP_MS)
    const { namespace, name } = parseKey(key)
    const source = endpoints.get(namespace, name)
    const slices = endpointSlices
      .byIndex('service', key)
      .filter(({ metadata }) => metadata.labels?.[MANAGED_BY_LABEL] === MIRRORING_MANAGED_BY)
    const options = { client, memory, owner: key, triggerTime: undefined, signal }
    if (!isMirrored(source, services.get(namespace, name))) {
      await applySlices(
        slices.map((slice) => ({ type: 'delete', slice })),
        options,
      )
      return DONE
    }
    const desired = mirroredEndpoints(source)
    if (desired.dropped > 0) {
      const message = `${desired.dropped} addresses were not mirrored: at most 1000 of each subset are`
      events.event(source, { type: 'Warning', reason: 'TooManyAddressesToMirror', message })
    }
    const owner = {
      kind: endpointsKind,
      object: source,
      labels: mirroredLabels(source),
      annotations: mirroredAnnotations(source),
    }
    await applySlices(
      diffSlices({ owner, slices }, desired, { maxEndpointsPerSlice: MAX_ENDPOINTS_PER_SLICE, placeholder: false }),
      options,
    )
    return DONE
  }
  return createLoop({
    name: 'endpointslicemirroring-controller',
    informers: [services, endpoints, endpointSlices],
    watch: (queue) => [
      services.onChange(({ object }) => queue.add(keyOf(object))),
      endpoints.onChange(({ object }: { readonly object: Endpoints }) => queue.add(keyOf(object))),
      endpointSlices.onChange((change) => {
        memory.saw(change)
        const service = serviceOfSlice(change.object)
        if (service !== undefined && change.object.metadata.labels?.[MANAGED_BY_LABEL] === MIRRORING_MANAGED_BY)
          queue.add(service)
      }),
    ],
    reconcile,
    workers: 2,
    backoff: { initialMs: 1_000, maxMs: 100_000, jitter: 0.1 },
    clock,
    log,
  })
}
