import type { KubeObject, ListMeta } from '../../api/index.ts'
import type { RawWatchEvent } from '../../client/index.ts'
import type { Resource } from '../rest/index.ts'
import { type IncludeObject, type Representation, toPartialMetadata, toPartialMetadataList, toTable } from '../table/index.ts'

/** The form that a client wants its answers in. */
export interface View {
  readonly representation: Representation
  readonly includeObject: IncludeObject
}

/** Objects of other kinds than the resource's own (a Status, a Scale) are left as they are. */
export const renderAnswer = (view: View, resource: Resource | undefined, answer: unknown, nowMs: number): unknown => {
  const { representation } = view
  if (representation.kind === 'object' || resource === undefined) return answer
  const found = objectsOf(resource, answer)
  if (found === undefined) return answer
  const { objects, isList, metadata } = found
  switch (representation.kind) {
    case 'table':
      return toTable(resource.kind, objects, { ...representation, includeObject: view.includeObject, nowMs, metadata })
    case 'metadata': {
      const [only] = objects
      if (isList || only === undefined) return toPartialMetadataList(objects, representation.version, metadata)
      return toPartialMetadata(only, representation.version)
    }
    default:
      return representation satisfies never
  }
}

interface Found {
  readonly objects: readonly KubeObject[]
  readonly isList: boolean
  readonly metadata: ListMeta
}

// Answers come from the verbs, which make objects and lists of the resource's kind.
const objectsOf = ({ kind }: Resource, answer: unknown): Found | undefined => {
  const object = answer as KubeObject
  if (object.kind === kind.kind) {
    const { resourceVersion } = object.metadata
    return { objects: [object], isList: false, metadata: resourceVersion === undefined ? {} : { resourceVersion } }
  }
  if (object.kind !== `${kind.kind}List`) return undefined
  const list = answer as { readonly items: readonly KubeObject[]; readonly metadata: ListMeta }
  return { objects: list.items, isList: true, metadata: list.metadata }
}

/** The line of a watch event; encoded once for all watchers that want it in the same form. */
export const createEventEncoder = (view: View, resource: Resource, now: () => number) => {
  let isFirst = true
  return (event: RawWatchEvent): Buffer => {
    if (view.representation.kind !== 'table') return encoded(event, view.representation.kind, () => metadataEvent(view, event))
    if (event.type === 'BOOKMARK' || event.type === 'ERROR') return line(event)
    const omitColumns = !isFirst
    isFirst = false
    const render = (): RawWatchEvent => tableEvent(view, resource, event, { nowMs: now(), omitColumns })
    // Ages in a table are true for a moment only.
    const second = Math.floor(now() / 1000)
    return encoded(event, `table ${view.representation.version} ${view.includeObject} ${omitColumns} ${second}`, render)
  }
}

const metadataEvent = ({ representation }: View, event: RawWatchEvent): RawWatchEvent =>
  representation.kind !== 'metadata' || event.type === 'ERROR'
    ? event
    : { type: event.type, object: toPartialMetadata(event.object as KubeObject, representation.version) }

interface TableMoment {
  readonly nowMs: number
  readonly omitColumns: boolean
}

const tableEvent = (view: View, resource: Resource, event: RawWatchEvent, moment: TableMoment): RawWatchEvent => {
  const { representation, includeObject } = view
  if (representation.kind !== 'table') return event
  const object = event.object as KubeObject
  const metadata = { resourceVersion: object.metadata.resourceVersion }
  return { type: event.type, object: toTable(resource.kind, [object], { ...representation, includeObject, ...moment, metadata }) }
}

interface Line {
  readonly form: string
  readonly bytes: Buffer
}

/** The latest lines of an event; few forms are in use at a time. */
const lines = new WeakMap<RawWatchEvent, Line[]>()
const FORMS = 4

const encoded = (event: RawWatchEvent, form: string, render: () => RawWatchEvent): Buffer => {
  const known = lines.get(event) ?? []
  if (known.length === 0) lines.set(event, known)
  const hit = known.find((candidate) => candidate.form === form)
  if (hit !== undefined) return hit.bytes
  const bytes = line(render())
  known.push({ form, bytes })
  if (known.length > FORMS) known.shift()
  return bytes
}

const line = (event: RawWatchEvent): Buffer => Buffer.from(`${JSON.stringify(event)}\n`, 'utf8')
