import type { Command } from 'commander'

/** Those of providers.ts, whose code only a run needs. */
export const PROVIDER_NAMES: readonly string[] = ['local', 'tencent']

/** As commander takes them, with their help. */
const FLAGS: readonly (readonly [string, string])[] = [
  ['--provider <name>', `who makes the load balancers: ${PROVIDER_NAMES.join(' or ')}`],
  ['--config <file>', 'the provider’s settings, as YAML or JSON; credentials may be in the environment instead'],
  ['--kubeconfig <file>', 'how to reach the API server; in a pod its service account is the default'],
  ['--cluster-id <id>', 'tells the load balancers of this cluster from those of others (default: default)'],
  ['--prune', 'take away load balancers of this cluster that no Service wants; without it they are only told of'],
  ['--resync <duration>', 'how often everything is compared with what is outside (default: 10m)'],
  ['--workers <count>', 'load balancers that are worked on at a time (default: 4)'],
  ['--election-id <name>', 'the Lease by which one of the replicas leads (default: fairway-loadbalancer-PROVIDER)'],
  ['--election-namespace <namespace>', 'where it lies (default: $POD_NAMESPACE, then that of the kubeconfig)'],
  ['--health <address>', 'where /healthz and /readyz are served; empty for nowhere (default: 0.0.0.0:10258)'],
  ['--metrics <address>', 'where /metrics is served; empty for nowhere (default: 127.0.0.1:10259)'],
  ['--log-level <level>', 'debug, info, warn or error (default: info)'],
]

/** Adds all of them to a command. */
export const withLoadBalancerFlags = (command: Command): Command => {
  for (const [flags, help] of FLAGS) command.option(flags, help)
  return command
}
