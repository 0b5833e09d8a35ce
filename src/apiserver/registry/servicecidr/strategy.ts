import { type Condition, type ServiceCIDR, serviceCIDRKind } from '../../../api/index.ts'
import type { Strategy } from '../strategy.ts'

/** Holds a ServiceCIDR that is deleted while an IPAddress would be left without a range. */
export const SERVICE_CIDR_FINALIZER = 'networking.k8s.io/service-cidr-finalizer'

/** Addresses are given out from a ServiceCIDR as soon as it is stored, and no longer when it is being deleted. */
export const serviceCidrStrategy: Strategy<ServiceCIDR> = {
  kind: serviceCIDRKind,
  prepareForCreate: (object) => ({
    ...object,
    metadata: {
      ...object.metadata,
      finalizers: [...new Set([...(object.metadata.finalizers ?? []), SERVICE_CIDR_FINALIZER])],
    },
    status: withCondition(object, {
      type: 'Ready',
      status: 'True',
      reason: 'Ready',
      message: 'Kubernetes Service CIDR is ready',
      lastTransitionTime: object.metadata.creationTimestamp ?? '',
    }),
  }),
  prepareForDelete: (object) => ({
    ...object,
    status: withCondition(object, {
      type: 'Ready',
      status: 'False',
      reason: 'Terminating',
      message: 'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR',
      lastTransitionTime: object.metadata.deletionTimestamp ?? '',
    }),
  }),
}

const withCondition = ({ status }: ServiceCIDR, condition: Condition): ServiceCIDR['status'] => ({
  ...status,
  conditions: [...(status?.conditions ?? []).filter((each) => each.type !== condition.type), condition],
})
