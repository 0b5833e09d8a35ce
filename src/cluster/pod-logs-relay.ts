import { ApiError } from '../api/index.ts'
import type { PodLogRequest, PodLogs } from '../client/index.ts'

/** Pod logs for an API server that starts before its node. */
export interface PodLogsRelay extends PodLogs {
  /** From now on requests go there. */
  connect(target: PodLogs): void
}

export const createPodLogsRelay = (): PodLogsRelay => {
  let target: PodLogs | undefined
  return {
    connect: (podLogs) => {
      target = podLogs
    },
    read: async (request: PodLogRequest) => {
      if (target) return target.read(request)
      throw new ApiError({ code: 503, reason: 'ServiceUnavailable', message: 'the node is not started yet' })
    },
  }
}
