import type { Kind, KubeObject } from '../../api/index.ts'
import { UserError } from '../../base/index.ts'
import type { Client } from '../../client/index.ts'
import { type Connected, type ConnectionOptions, withConnection } from '../connect.ts'
import { document, names, table } from '../output.ts'
import { kindsNamed } from '../resources.ts'

export interface GetOptions extends ConnectionOptions {
  readonly allNamespaces?: boolean
  readonly selector?: string
  readonly output: string
}

interface Found {
  readonly kind: Kind
  readonly objects: readonly KubeObject[]
}

/** `fairway get`. */
export const get = async (resource: string, wanted: readonly string[], options: GetOptions): Promise<void> => {
  const [type = '', slashed] = resource.split('/', 2)
  const kinds = kindsNamed(type)
  const all = slashed === undefined ? wanted : [slashed, ...wanted]
  await withConnection(options, async (connected) => {
    const found = await Promise.all(kinds.map((kind) => find(connected, { kind, names: all, options })))
    const filled = found.filter(({ objects }) => objects.length > 0)
    if (filled.length === 0) console.error(nothingFound(connected.namespace, options))
    else console.log(render(filled, options))
  })
}

interface Query {
  readonly kind: Kind
  readonly names: readonly string[]
  readonly options: GetOptions
}

const find = async ({ client, namespace }: Connected, { kind, names, options }: Query): Promise<Found> => {
  const place = kind.namespaced ? namespace : undefined
  if (names.length > 0) {
    if (options.allNamespaces) throw new UserError('a name and --all-namespaces do not go together', { exitCode: 2 })
    return { kind, objects: await Promise.all(names.map((name) => client.get(kind, { namespace: place, name }))) }
  }
  const selection = { namespace: options.allNamespaces ? undefined : place, labelSelector: options.selector }
  return { kind, objects: await listAll(client, kind, selection) }
}

interface Selection {
  readonly namespace?: string
  readonly labelSelector?: string
}

/** Every page of a list. */
export const listAll = async <T extends KubeObject>(
  client: Client,
  kind: Kind<T>,
  selection: Selection = {},
): Promise<readonly T[]> => {
  const items: T[] = []
  let next: string | undefined
  do {
    const page = await client.list(kind, { ...selection, limit: 500, continue: next })
    items.push(...page.items)
    next = page.continue
  } while (next)
  return items
}

const nothingFound = (namespace: string, options: GetOptions): string =>
  options.allNamespaces ? 'No resources found' : `No resources found in ${namespace} namespace.`

const render = (found: readonly Found[], options: GetOptions): string => {
  const format = options.output
  if (format === 'yaml' || format === 'json')
    return document(
      found.flatMap(({ objects }) => objects),
      format,
    )
  if (format === 'name') return found.map(({ kind, objects }) => names(kind, objects)).join('\n')
  const nowMs = Date.now()
  return found
    .map(({ kind, objects }) =>
      table(kind, objects, {
        isWide: format === 'wide',
        withNamespace: kind.namespaced && options.allNamespaces === true,
        nowMs,
      }),
    )
    .join('\n\n')
}
