import type { Service } from '../api/index.ts'
import type { EventRecorder } from '../client/index.ts'
import type { Problem } from './provider.ts'

/** What people are told of one Service's load balancer, in upstream's words. */
export interface LoadBalancerEvents {
  ensuring(service: Service): void
  ensured(service: Service): void
  updated(service: Service): void
  deleting(service: Service): void
  deleted(service: Service): void
  /** There is no node that may be a target. */
  unavailable(service: Service): void
  failed(service: Service, message: string, reason?: string): void
  problem(service: Service, problem: Problem): void
  repaired(service: Service, what: string): void
}

export const createLoadBalancerEvents = (recorder: EventRecorder): LoadBalancerEvents => {
  const normal = (reason: string, message: string) => (service: Service) =>
    recorder.event(service, { type: 'Normal', reason, message })
  const warn = (service: Service, reason: string, message: string): void =>
    recorder.event(service, { type: 'Warning', reason, message })
  return {
    ensuring: normal('EnsuringLoadBalancer', 'Ensuring load balancer'),
    ensured: normal('EnsuredLoadBalancer', 'Ensured load balancer'),
    updated: normal('UpdatedLoadBalancer', 'Updated load balancer with new hosts'),
    deleting: normal('DeletingLoadBalancer', 'Deleting load balancer'),
    deleted: normal('DeletedLoadBalancer', 'Deleted load balancer'),
    unavailable: (service) => warn(service, 'UnAvailableLoadBalancer', 'There are no available nodes for LoadBalancer'),
    failed: (service, message, reason = 'SyncLoadBalancerFailed') =>
      warn(service, reason, `Error syncing load balancer: ${message}`),
    problem: (service, { reason, message }) => warn(service, reason, message),
    repaired: (service, what) =>
      recorder.event(service, {
        type: 'Normal',
        reason: 'RepairedLoadBalancer',
        message: `Put right what others changed: ${what}`,
      }),
  }
}
