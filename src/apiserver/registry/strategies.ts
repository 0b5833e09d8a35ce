import type { IngressClass, KubeObject } from '../../api/index.ts'
import { createIngressStrategy } from './ingress/strategy.ts'
import { namespaceStrategy } from './namespace/strategy.ts'
import { podStrategy } from './pod/strategy.ts'
import { secretStrategy } from './secret/strategy.ts'
import type { Strategy } from './strategy.ts'
import { deploymentStrategy, nodeStrategy, replicaSetStrategy } from './workloads/strategies.ts'

export interface StrategySources {
  /** The present IngressClasses. */
  ingressClasses(): readonly IngressClass[]
}

/** What is particular to the kinds that need nothing but the API server itself. */
export const builtInStrategies = ({ ingressClasses }: StrategySources): readonly Strategy<KubeObject>[] => [
  namespaceStrategy,
  podStrategy,
  secretStrategy,
  createIngressStrategy(ingressClasses),
  deploymentStrategy,
  replicaSetStrategy,
  nodeStrategy,
]
