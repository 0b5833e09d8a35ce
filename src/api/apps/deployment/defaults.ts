import { podTemplateDefaults } from '../../core/pod/defaults.ts'
import type { Deployment, DeploymentSpec, DeploymentStrategy } from './schema.ts'

const DEFAULT_SHARE = '25%'

export const setDeploymentDefaults = (deployment: Deployment): Deployment => {
  const spec: Partial<DeploymentSpec> = deployment.spec ?? {}
  return {
    ...deployment,
    metadata: deployment.metadata ?? {},
    spec: {
      ...deployment.spec,
      replicas: spec.replicas ?? 1,
      strategy: strategyDefaults(spec.strategy ?? {}),
      revisionHistoryLimit: spec.revisionHistoryLimit ?? 10,
      progressDeadlineSeconds: spec.progressDeadlineSeconds ?? 600,
      ...(spec.template === undefined ? {} : { template: podTemplateDefaults(spec.template) }),
    },
  }
}

const strategyDefaults = (strategy: DeploymentStrategy): DeploymentStrategy => {
  const type = strategy.type || 'RollingUpdate'
  if (type !== 'RollingUpdate') return { ...strategy, type }
  const { maxUnavailable = DEFAULT_SHARE, maxSurge = DEFAULT_SHARE } = strategy.rollingUpdate ?? {}
  return { type, rollingUpdate: { maxUnavailable, maxSurge } }
}
