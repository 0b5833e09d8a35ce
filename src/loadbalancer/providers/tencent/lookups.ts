import type { DesiredLoadBalancer, TargetNode } from '../../provider.ts'
import type { CloudApi } from './client/index.ts'
import { instanceOf } from './desired-targets.ts'
import type { ObjectNames, Objects } from './objects.ts'
import type { OwnerView } from './owner-view.ts'
import type { Lookups } from './plan-input.ts'

export interface LookupDeps {
  readonly api: CloudApi
  readonly objects: Objects
  readonly nodeTargets: 'instance' | 'address'
  /** Instances that were found before, by a node's address; filled here. */
  readonly knownInstances: Map<string, string>
}

/** Reads what the annotations of owners refer to, and the instances of nodes that do not say which they are. */
export const lookUp = async (
  deps: LookupDeps,
  { desired, views }: { readonly desired: DesiredLoadBalancer; readonly views: readonly OwnerView[] },
  signal: AbortSignal,
): Promise<Lookups> => {
  const names = namesOf(views)
  await deps.objects.follow(desired.key, names, signal)
  const usesNodes = deps.nodeTargets === 'instance' && views.some(({ settings }) => settings.directAccess !== true)
  return {
    configs: new Map(names.configs.map((name) => [name, deps.objects.config(name)])),
    certificates: new Map(names.secrets.map((name) => [name, deps.objects.certificate(name)])),
    instances: usesNodes ? await instances(deps, desired.nodes, signal) : new Map(),
  }
}

const namesOf = (views: readonly OwnerView[]): ObjectNames => {
  const wanted = views.filter(({ owner }) => owner.state === 'wanted')
  const configs = wanted.flatMap(({ owner, settings }) =>
    settings.config === undefined ? [] : [`${owner.namespace}/${settings.config}`],
  )
  const secrets = wanted.flatMap(({ owner, settings }) =>
    [...(settings.protocols?.values() ?? [])]
      .flatMap(({ tls, hosts }) => [tls, ...hosts.map((host) => host.tls)])
      .flatMap((secret) => (secret === undefined ? [] : [`${owner.namespace}/${secret}`])),
  )
  return { configs: [...new Set(configs)].sort(), secrets: [...new Set(secrets)].sort() }
}

/** A look-up that fails leaves nodes unknown, which takes nothing away from them. */
const instances = async (
  { api, knownInstances }: LookupDeps,
  nodes: readonly TargetNode[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> => {
  const silent = nodes.filter((node) => instanceOf(node) === undefined)
  const addresses = silent
    .flatMap((node) => node.addresses)
    .filter((address) => !address.includes(':') && !knownInstances.has(address))
  if (addresses.length > 0) for (const [address, id] of await api.instanceIds(addresses, signal)) knownInstances.set(address, id)
  return new Map(
    silent.flatMap(({ name, addresses: own }) => {
      const id = own.map((address) => knownInstances.get(address)).find((each) => each !== undefined)
      return id === undefined ? [] : [[name, id]]
    }),
  )
}
