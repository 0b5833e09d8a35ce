import { isNotFound, type Kind, type KubeObject } from '../../api/index.ts'
import { UserError } from '../../base/index.ts'
import type { Client } from '../../client/index.ts'
import { type Connected, type ConnectionOptions, withConnection } from '../connect.ts'
import { printFailure } from '../failure.ts'
import { document, names, table } from '../output.ts'
import { type ResourceTarget, targetsNamed } from '../resources.ts'

export interface GetOptions extends ConnectionOptions {
  readonly allNamespaces?: boolean
  readonly selector?: string
  readonly output: string
}

interface Found {
  readonly kind: Kind
  readonly objects: readonly KubeObject[]
}

/** `fairway get`: shows what there is; what is not there is told and makes the exit code 1. */
export const get = async (resource: string, wanted: readonly string[], options: GetOptions): Promise<void> => {
  const targets = targetsNamed(resource, wanted)
  const isNamed = targets.some((target) => target.names.length > 0)
  if (isNamed && options.allNamespaces) throw new UserError('a name and --all-namespaces do not go together', { exitCode: 2 })
  if (isNamed && options.selector) throw new UserError('a name and --selector do not go together', { exitCode: 2 })
  await withConnection(options, async (connected) => {
    const found = await Promise.all(targets.map((target) => find(connected, target, options)))
    const filled = found.filter(({ objects }) => objects.length > 0)
    const isDocument = options.output === 'yaml' || options.output === 'json'
    if (filled.length > 0 || (isDocument && !isNamed)) console.log(render(filled, options, !isNamed))
    else if (!isNamed) console.error(nothingFound(connected.namespace, options))
  })
}

const find = async ({ client, namespace }: Connected, { kind, names }: ResourceTarget, options: GetOptions): Promise<Found> => {
  const place = kind.namespaced ? namespace : undefined
  if (names.length > 0) {
    const objects = await Promise.all(names.map((name) => getOne(client, kind, { namespace: place, name })))
    return { kind, objects: objects.filter((object) => object !== undefined) }
  }
  const selection = { namespace: options.allNamespaces ? undefined : place, labelSelector: options.selector }
  return { kind, objects: await listAll(client, kind, selection) }
}

/** Undefined, with a word to the user, when it is not there. */
const getOne = async (
  client: Client,
  kind: Kind,
  ref: { readonly namespace: string | undefined; readonly name: string },
): Promise<KubeObject | undefined> => {
  try {
    return await client.get(kind, ref)
  } catch (error) {
    if (!isNotFound(error)) throw error
    process.exitCode = printFailure(error)
    return undefined
  }
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

const render = (found: readonly Found[], options: GetOptions, isList: boolean): string => {
  const format = options.output
  if (format === 'yaml' || format === 'json') {
    const objects = found.flatMap((one) => one.objects)
    return document(objects, { format, isList })
  }
  if (format === 'name') return found.map(({ kind, objects }) => names(kind, objects)).join('\n')
  const nowMs = Date.now()
  return found
    .map(({ kind, objects }) =>
      table(kind, objects, {
        isWide: format === 'wide',
        withNamespace: kind.namespaced && options.allNamespaces === true,
        // As kubectl does: among several types a bare name says too little.
        withType: found.length > 1,
        nowMs,
      }),
    )
    .join('\n\n')
}
