import {
  ApiError,
  apiVersionOf,
  type ConfigMap,
  type Ingress,
  type IngressClass,
  ingressClassKind,
  ingressKind,
  type Kind,
  type KubeObject,
  type Secret,
  type Service,
  scheme,
  serviceKind,
} from '../../api/index.ts'
import { errorMessage, UserError } from '../../base/index.ts'
import type { Client } from '../../client/index.ts'
import { type Manifest, readManifests } from '../../cluster/index.ts'
import { type Audit, type AuditInput, type AuditVerdict, auditIngresses } from '../../ingress/index.ts'
import { checkStructure } from '../../schema/index.ts'
import { withConnection } from '../connect.ts'
import { align } from '../output.ts'

interface AuditOptions {
  readonly filename?: readonly string[]
  readonly kubeconfig?: string
  readonly output: string
}

const UNREADABLE = 2

/** `fairway ingress audit`: reads, and changes nothing. Exit code 1 when something is refused, 2 when the input cannot be read. */
export const ingressAudit = async (options: AuditOptions): Promise<void> => {
  if (options.filename === undefined && options.kubeconfig === undefined)
    throw new UserError('name manifests with -f, or a cluster with --kubeconfig', { exitCode: UNREADABLE })
  const input = await orUnreadable(() => (options.filename === undefined ? fromCluster(options) : fromFiles(options.filename)))
  const audit = auditIngresses(input)
  console.log(options.output === 'json' ? JSON.stringify({ ...audit, totals: totals(audit) }, null, 2) : auditTable(audit))
  if (audit.entries.some(({ verdict }) => verdict === 'refused')) process.exitCode = 1
}

const orUnreadable = async <T>(read: () => Promise<T>): Promise<T> => {
  try {
    return await read()
  } catch (error) {
    throw new UserError(errorMessage(error), { cause: error, exitCode: UNREADABLE })
  }
}

const fromFiles = async (paths: readonly string[]): Promise<AuditInput> => {
  const objects = (await readManifests(paths)).flatMap(objectOf)
  const input = inputOf(objects)
  if (input.ingresses.length === 0) throw new Error(`no Ingress in ${paths.join(', ')}`)
  return input
}

const READ = new Set(['Ingress', 'IngressClass', 'Service', 'Secret', 'ConfigMap'])

/** Of a manifest the object in its shape of today; nothing for kinds that say nothing of Ingresses. */
const objectOf = ({ origin, object }: Manifest): readonly KubeObject[] => {
  const kind = scheme.find(
    (each) => READ.has(each.kind) && each.kind === object['kind'] && apiVersionOf(each) === object['apiVersion'],
  )
  if (kind === undefined) return []
  const { errors, pruned } = checkStructure(kind.schema, object, { unknownFields: 'ignore' })
  const [first] = errors
  if (first !== undefined) throw new Error(`${origin}: ${first.message}`)
  const defaulted = kind.setDefaults(pruned as KubeObject)
  if (!defaulted.metadata?.name) throw new Error(`${origin}: metadata.name is missing`)
  const hub = kind.conversion === undefined ? defaulted : kind.conversion.toHub(defaulted)
  return [kind.namespaced ? { ...hub, metadata: { ...hub.metadata, namespace: hub.metadata.namespace || 'default' } } : hub]
}

const inputOf = (objects: readonly KubeObject[]): AuditInput => {
  // Each was read by the schema of its kind.
  const of = <T extends KubeObject>(kind: string): readonly T[] =>
    objects.filter((object) => object.kind === kind) as unknown as readonly T[]
  return {
    ingresses: of<Ingress>('Ingress'),
    ingressClasses: of<IngressClass>('IngressClass'),
    services: of<Service>('Service'),
    secrets: of<Secret>('Secret'),
    configMaps: of<ConfigMap>('ConfigMap'),
  }
}

/** Ingresses, classes and Services; no Secrets: an audit needs no right to read those. */
const fromCluster = async ({ kubeconfig }: AuditOptions): Promise<AuditInput> => {
  let input: AuditInput = { ingresses: [] }
  await withConnection(kubeconfig === undefined ? {} : { kubeconfig }, async ({ client }) => {
    input = {
      ingresses: await allIngresses(client),
      ingressClasses: (await listed(client, ingressClassKind)) ?? [],
      services: (await listed(client, serviceKind)) ?? [],
    }
  })
  return input
}

/** In the newest shape that the server has; before Kubernetes 1.19 that is an old one. */
const allIngresses = async (client: Client): Promise<readonly Ingress[]> => {
  const kinds: readonly Kind[] = [
    ingressKind,
    ...scheme.filter(({ kind, conversion }) => kind === 'Ingress' && conversion !== undefined),
  ]
  for (const kind of kinds) {
    const found = await listed(client, kind)
    // An older shape becomes the one of today.
    if (found !== undefined) return found.map((object) => (kind.conversion?.toHub(object) ?? object) as unknown as Ingress)
  }
  throw new Error('the API server has no Ingresses')
}

const listed = async <T extends KubeObject>(client: Client, kind: Kind<T>): Promise<readonly T[] | undefined> => {
  try {
    return (await client.list(kind, {})).items
  } catch (error) {
    if (error instanceof ApiError && error.code === 404) return undefined
    throw error
  }
}

const totals = ({ entries }: Audit): Readonly<Record<AuditVerdict, number>> => {
  const count = (verdict: AuditVerdict): number => entries.filter((entry) => entry.verdict === verdict).length
  return { honoured: count('honoured'), differs: count('differs'), 'no-effect': count('no-effect'), refused: count('refused') }
}

const ORDER: readonly AuditVerdict[] = ['refused', 'differs', 'no-effect', 'honoured']

const auditTable = (audit: Audit): string => {
  const rank = (verdict: AuditVerdict): number => ORDER.indexOf(verdict)
  const sorted = [...audit.entries].sort((a, b) => (a.ingress === b.ingress ? rank(a.verdict) - rank(b.verdict) : 0))
  const rows = sorted.map(({ ingress, verdict, subject, note }) => [
    ingress,
    verdict,
    subject.replace('nginx.ingress.kubernetes.io/', ''),
    note,
  ])
  const { honoured, differs, refused, 'no-effect': noEffect } = totals(audit)
  return [
    align([['INGRESS', 'VERDICT', 'WHAT', 'NOTE'], ...rows]),
    '',
    'everywhere:',
    ...audit.general.map((line) => `  ${line}`),
    '',
    `${honoured} honoured, ${differs} differ, ${noEffect} without effect, ${refused} refused`,
  ].join('\n')
}
