import { type Pod, podKind } from '../../../api/index.ts'
import type { Strategy } from '../strategy.ts'

const DEFAULT_GRACE_SECONDS = 30

export const podStrategy: Strategy<Pod> = {
  kind: podKind,
  prepareForCreate: (object) => ({ ...object, status: { phase: 'Pending', qosClass: qosClass(object) } }),
  prepareForUpdate: (object, old) => ({ ...object, status: old.status }),
  // What a Pod is made of cannot change through its status; deletion marks are the server's own.
  prepareForStatusUpdate: (object, old) => ({
    ...old,
    metadata: { ...old.metadata, annotations: object.metadata.annotations, labels: object.metadata.labels },
    status: { ...object.status, qosClass: old.status?.qosClass },
  }),
  graceSeconds(pod, asked) {
    const wanted = asked ?? pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS
    const phase = pod.status?.phase
    // Where no node runs it, nobody would end the wait (as Kubernetes).
    if (!pod.spec.nodeName || phase === 'Succeeded' || phase === 'Failed') return 0
    return wanted < 0 ? 1 : wanted
  },
}

type Resources = Readonly<Record<string, string | number>>

/** The quality of service by what the containers ask for. */
const qosClass = ({ spec }: Pod): 'Guaranteed' | 'Burstable' | 'BestEffort' => {
  const containers = [...spec.containers, ...(spec.initContainers ?? [])]
  const asked = containers.map(({ resources }) => ({ requests: resources?.requests ?? {}, limits: resources?.limits ?? {} }))
  if (asked.every(({ requests, limits }) => !hasCompute(requests) && !hasCompute(limits))) return 'BestEffort'
  const isGuaranteed = asked.every(({ requests, limits }) =>
    COMPUTE.every((name) => limits[name] !== undefined && (requests[name] ?? limits[name]) === limits[name]),
  )
  return isGuaranteed ? 'Guaranteed' : 'Burstable'
}

const COMPUTE = ['cpu', 'memory'] as const

const hasCompute = (resources: Resources): boolean => COMPUTE.some((name) => resources[name] !== undefined)
