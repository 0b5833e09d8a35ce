import { aborted, type Component } from '../../../base/index.ts'
import type { ProviderDeps, ProviderModule } from '../../provider-module.ts'
import { type CloudClient, createCloudClient } from './client/index.ts'
import { clusterObjects } from './cluster-objects.ts'
import { readConfig, type TencentConfig } from './config.ts'
import { createTencentMetrics } from './metrics.ts'
import { createTencentProvider } from './provider.ts'

/** `--provider tencent`. */
export const tencentProvider: ProviderModule<TencentConfig> = {
  name: 'tencent',
  readConfig,
  create(config, deps) {
    const client = cloudClient(config, deps)
    const { objects, components } = clusterObjects(deps)
    const { clusterId, clock, log } = deps
    const { vpcId, nodeTargets, drainSeconds, loadBalancerClass, servesNoClass } = config
    const options = {
      clusterId,
      nodeTargets,
      drainMs: drainSeconds * 1_000,
      loadBalancerClass,
      servesNoClass,
      ...(vpcId && { vpcId }),
    }
    return {
      provider: createTencentProvider(options, { api: client.api, objects, clock, log }),
      components: [...components, closedAtTheEnd(client)],
    }
  },
}

const cloudClient = (config: TencentConfig, { clock, registry }: ProviderDeps): CloudClient => {
  const metrics = createTencentMetrics(registry)
  const { region, credentials, endpoint, uin, callsPerSecond, callsPerSecondByAction } = config
  return createCloudClient({
    region,
    credentials,
    clock,
    limits: { perSecond: callsPerSecond, byAction: callsPerSecondByAction },
    onCall: ({ action, result, seconds }) => {
      metrics.calls.inc({ action, result })
      metrics.duration.observe({ action }, seconds)
    },
    ...(endpoint && { endpoint }),
    ...(uin && { uin }),
  })
}

const closedAtTheEnd = (client: CloudClient): Component => ({
  name: 'tencent-api',
  start: async (signal) => ({ stopped: aborted(signal).then(() => client.close()) }),
})
