import { aborted, type Clock, type Running, sleep } from '../base/index.ts'
import type { Host } from '../host/index.ts'
import { instanceTag } from '../kernel/link/index.ts'
import { createLoopbackNetwork, createNetnsNetwork, type PodNetwork } from '../node/index.ts'
import type { ClusterOptions } from './options.ts'

export interface RunningPodNetwork extends Running {
  readonly network: PodNetwork
}

export interface PodNetworkRequest {
  readonly host: Host
  readonly options: ClusterOptions
  /** The kernel carries Services, so their ranges (and those of their load balancers) lead to the bridge; otherwise the proxy makes them local. */
  readonly isInKernel: boolean
}

/**
 * What pods are attached to. It is there before everything that listens on the node's address, and goes after it;
 * the node uses it in between.
 */
export const podNetwork = (request: PodNetworkRequest) => ({
  name: 'pod network',
  async start(signal: AbortSignal): Promise<RunningPodNetwork> {
    const network = createNetwork(request)
    await network.prepare()
    return { network, stopped: aborted(signal).then(() => network.close()) }
  },
})

const createNetwork = ({ host, options, isInKernel }: PodNetworkRequest): PodNetwork => {
  const { network, podCidr: podCIDR, nodeAddress, dataDir, serviceCidrs, loadBalancerCidr } = options
  if (network.kind === 'loopback') return createLoopbackNetwork({ podCIDR, nodeAddress })
  const kernelServiceCIDRs = isInKernel ? [...serviceCidrs, loadBalancerCidr] : []
  return createNetnsNetwork({ exec: host.exec, tag: instanceTag(dataDir), podCIDR, nodeAddress, kernelServiceCIDRs })
}

/** How soon a new firewall, or a default route on another device, is noticed. */
const CHECK_MS = 30_000

export interface NetworkWatchRequest {
  readonly network: PodNetwork
  readonly clock: Clock
  /** What pods have to do without, at the start and whenever that differs. */
  tell(notes: readonly string[]): void
}

/** Keeps the pods' network in step with the machine's. `start` resolves after the first look. */
export const networkWatch = ({ network, clock, tell }: NetworkWatchRequest) => ({
  name: 'network watch',
  async start(signal: AbortSignal): Promise<Running> {
    let told = await network.check()
    tell(told)
    const follow = async (): Promise<void> => {
      for (;;) {
        await sleep(clock, CHECK_MS, signal)
        if (signal.aborted) return
        const notes = await network.check()
        if (notes.join('\n') !== told.join('\n')) tell(notes)
        told = notes
      }
    }
    return { stopped: follow() }
  },
})
