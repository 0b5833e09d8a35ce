import { isNotFound, type Kind } from '../../api/index.ts'
import { UserError } from '../../base/index.ts'
import type { Client } from '../../client/index.ts'
import { identify, labelOf, orUndefined, readManifests } from '../../cluster/index.ts'
import { type Connected, type ConnectionOptions, withConnection } from '../connect.ts'
import { targetsNamed } from '../resources.ts'
import { listAll } from './get.ts'

export interface DeleteCommandOptions extends ConnectionOptions {
  readonly filename?: readonly string[]
  readonly all?: boolean
  readonly wait: boolean
}

interface Target {
  readonly kind: Kind
  readonly namespace: string | undefined
  readonly name: string
}

/** `fairway delete`: tells of each object, and by default waits until they are gone. */
export const remove = (resource: string | undefined, names: readonly string[], options: DeleteCommandOptions): Promise<void> =>
  withConnection(options, async (connected) => {
    const { client } = connected
    const deleted: Target[] = []
    for (const target of await targetsOf(connected, { resource, names, options })) {
      if (await deleteOne(client, target)) deleted.push(target)
    }
    if (options.wait) await Promise.all(deleted.map((target) => untilGone(client, target)))
  })

/** False, with a word to the user, when it was not there. */
const deleteOne = async (client: Client, target: Target): Promise<boolean> => {
  try {
    await client.delete(target.kind, target, { propagationPolicy: 'Background' })
    console.log(`${labelOf(target.kind, target.name)} deleted`)
    return true
  } catch (error) {
    if (!isNotFound(error)) throw error
    console.error(`fairway: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
    return false
  }
}

interface Request {
  readonly resource: string | undefined
  readonly names: readonly string[]
  readonly options: DeleteCommandOptions
}

const targetsOf = async ({ client, namespace }: Connected, { resource, names, options }: Request): Promise<readonly Target[]> => {
  if (options.filename) {
    if (resource || options.all) throw new UserError('-f goes without names and without --all', { exitCode: 2 })
    const manifests = await readManifests(options.filename)
    // In reverse, so that a Namespace goes after what is in it.
    return manifests
      .map((manifest) => identify(manifest, namespace))
      .map(({ kind, object }) => ({ kind, namespace: object.metadata.namespace, name: object.metadata.name }))
      .reverse()
  }
  if (!resource) throw new UserError('name a resource, or manifests with -f', { exitCode: 2 })
  const targets = targetsNamed(resource, names)
  const named = targets.flatMap((target) =>
    target.names.map((name) => ({ kind: target.kind, namespace: placeOf(target.kind, namespace), name })),
  )
  if (named.length > 0 && options.all) throw new UserError('a name and --all do not go together', { exitCode: 2 })
  if (named.length > 0) return named
  if (!options.all) throw new UserError('name the objects, or give --all', { exitCode: 2 })
  const lists = await Promise.all(
    targets.map(async ({ kind }) => ({ kind, objects: await listAll(client, kind, { namespace: placeOf(kind, namespace) }) })),
  )
  return lists.flatMap(({ kind, objects }) =>
    objects.map(({ metadata }) => ({ kind, namespace: metadata.namespace, name: metadata.name })),
  )
}

const placeOf = (kind: Kind, namespace: string): string | undefined => (kind.namespaced ? namespace : undefined)

/** Follows the object until its DELETED event. */
const untilGone = async (client: Client, { kind, namespace, name }: Target): Promise<void> => {
  const stop = new AbortController()
  const fieldSelector = `metadata.name=${name}`
  try {
    for (;;) {
      if (!(await orUndefined(client.get(kind, { namespace, name })))) return
      const { items, resourceVersion } = await client.list(kind, { namespace, fieldSelector })
      if (items.length === 0) return
      for await (const event of client.watch(kind, {
        namespace,
        fieldSelector,
        resourceVersion,
        timeoutSeconds: 60,
        signal: stop.signal,
      })) {
        if (event.type === 'DELETED') return
      }
    }
  } finally {
    stop.abort()
  }
}
