import { fileURLToPath } from 'node:url'
import { deploymentKind, type Ingress, ingressKind, type Service, serviceKind } from '../../api/index.ts'
import type { Client } from '../../client/index.ts'
import type { ClusterFlags, InstanceStatus, RunningCluster } from '../../cluster/index.ts'
import { claimDemo } from '../demo.ts'
import { dataDirOf } from '../instance.ts'
import { align } from '../output.ts'
import { runInForeground } from './up.ts'

const SHOP = fileURLToPath(new URL('../../../examples/shop', import.meta.url))
const PATIENCE_MS = 60_000

/** `fairway start` (npm start): up with the shop, a table of what to try, and nothing left behind. */
export const start = async (flags: ClusterFlags): Promise<void> => {
  const demo = flags.dataDir === undefined ? await claimDemo(dataDirOf(flags)) : undefined
  try {
    await runInForeground({ ...flags, manifests: [...(flags.manifests ?? []), SHOP] }, async (cluster, signal) => {
      await untilAvailable(cluster.client, AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]))
      if (!signal.aborted) console.log(await overview(cluster))
    })
  } finally {
    await demo?.remove()
  }
}

/** Waits until every Deployment of the shop has its pods; gives up silently when the time is up. */
const untilAvailable = async (client: Client, signal: AbortSignal): Promise<void> => {
  const { items, resourceVersion } = await client.list(deploymentKind, { namespace: 'shop' })
  const waiting = new Set(items.filter((item) => !isAvailable(item)).map((item) => item.metadata.name))
  if (waiting.size === 0) return
  for await (const event of client.watch(deploymentKind, { namespace: 'shop', resourceVersion, signal })) {
    if (event.type === 'BOOKMARK') continue
    if (isAvailable(event.object)) waiting.delete(event.object.metadata.name)
    if (waiting.size === 0) return
  }
}

const isAvailable = ({
  spec,
  status,
}: {
  readonly spec: { readonly replicas?: number }
  readonly status?: { readonly availableReplicas?: number }
}): boolean => (status?.availableReplicas ?? 0) >= (spec.replicas ?? 1)

/** What a new user can do now. */
const overview = async ({ client, status }: RunningCluster): Promise<string> => {
  const now = status()
  const [services, ingresses] = await Promise.all([
    client.list(serviceKind, { namespace: 'shop' }),
    client.list(ingressKind, { namespace: 'shop' }),
  ])
  const rows = services.items.map((service) => serviceRow(service, now))
  return [
    '',
    `kubeconfig  ${now.kubeconfig}`,
    `api         ${now.api}`,
    `dns         ${now.dns}`,
    '',
    align([['SERVICE', 'CLUSTER ADDRESS', 'NODE PORT', 'DNS NAME'], ...rows]),
    '',
    align([['INGRESS', 'URL'], ...ingresses.items.flatMap((ingress) => ingressRows(ingress, now))]),
    '',
    ...now.notes.map((note) => `note: ${note}`),
    ...now.substitutions.map((s) => `note: ${s.what}: ${s.address}:${s.port} is served on port ${s.substitute} (${s.reason})`),
    'try, in another shell:',
    `  export KUBECONFIG=${now.kubeconfig}; kubectl get svc,ep,endpointslices,ingress,pods -A -o wide`,
    ...tries(services.items, now),
    '',
    'Ctrl-C stops everything.',
  ].join('\n')
}

const serviceRow = (service: Service, status: InstanceStatus): readonly string[] => {
  const { metadata, spec } = service
  const [port] = spec.ports ?? []
  const name = `${metadata.name}.${metadata.namespace}.svc.${status.dnsDomain}`
  if (spec.type === 'ExternalName') return [metadata.name, `→ ${spec.externalName}`, '-', name]
  if (spec.clusterIP === 'None') return [metadata.name, 'headless', '-', name]
  const node = port?.nodePort ? `${status.nodeAddress}:${port.nodePort}` : '-'
  return [metadata.name, `${spec.clusterIP}:${servedPort(status, spec.clusterIP, port?.port)}`, node, name]
}

/** The port that answers: a substitute where the port itself may not be bound. */
const servedPort = (status: InstanceStatus, address: string | undefined, port: number | undefined): number | undefined =>
  status.substitutions.find((s) => s.address === address && s.port === port)?.substitute ?? port

const ingressRows = (ingress: Ingress, status: InstanceStatus): readonly (readonly string[])[] =>
  (ingress.spec.rules ?? []).flatMap((rule) =>
    (rule.http?.paths ?? []).flatMap((path) => [
      [ingress.metadata.name, urlOf(status.ingress.http, rule.host, path.path)],
      ...(ingress.spec.tls ? [[ingress.metadata.name, urlOf(status.ingress.https, rule.host, path.path)]] : []),
    ]),
  )

const urlOf = (base: string, host: string | undefined, path: string | undefined): string => {
  const url = new URL(path ?? '/', base)
  if (host) url.hostname = host
  return url.href
}

const tries = (services: readonly Service[], status: InstanceStatus): readonly string[] => {
  const api = services.find((service) => service.metadata.name === 'api')
  const [port] = api?.spec.ports ?? []
  const address = api ? `http://${api.spec.clusterIP}:${servedPort(status, api.spec.clusterIP, port?.port)}/` : ''
  return [`  curl ${address}`, `  curl -H 'Host: shop.localhost' ${new URL('/api', status.ingress.http).href}`]
}
