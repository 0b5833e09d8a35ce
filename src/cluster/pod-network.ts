import { aborted, type Running } from '../base/index.ts'
import type { Host } from '../host/index.ts'
import { instanceTag } from '../kernel/link/index.ts'
import { createLoopbackNetwork, createNetnsNetwork, type PodNetwork } from '../node/index.ts'
import type { ClusterOptions } from './options.ts'

export interface RunningPodNetwork extends Running {
  readonly network: PodNetwork
}

/**
 * What pods are attached to. It is there before everything that listens on the node's address, and goes after it;
 * the node uses it in between.
 */
export const podNetwork = (host: Host, options: ClusterOptions) => ({
  name: 'pod network',
  async start(signal: AbortSignal): Promise<RunningPodNetwork> {
    const network = createNetwork(host, options)
    await network.prepare()
    return { network, stopped: aborted(signal).then(() => network.close()) }
  },
})

const createNetwork = (host: Host, { network, podCidr: podCIDR, nodeAddress, dataDir }: ClusterOptions): PodNetwork =>
  network.kind === 'netns'
    ? createNetnsNetwork({ exec: host.exec, tag: instanceTag(dataDir), podCIDR, nodeAddress })
    : createLoopbackNetwork({ podCIDR, nodeAddress })
