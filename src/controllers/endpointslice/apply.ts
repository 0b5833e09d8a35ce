import { type EndpointSlice, endpointSliceKind, isNotFound } from '../../api/index.ts'
import type { Client, NewObject } from '../../client/index.ts'
import type { WriteMemory } from '../write-memory.ts'
import type { SliceOperation } from './diff.ts'
import { TRIGGER_TIME_ANNOTATION } from './labels.ts'

export interface ApplyOptions {
  readonly client: Client
  readonly memory: WriteMemory<EndpointSlice>
  /** The Service's key. */
  readonly owner: string
  readonly triggerTime: string | undefined
  readonly signal: AbortSignal
}

/** Writes, creates and updates before deletes, so that no endpoint is missing in between. */
export const applySlices = async (operations: readonly SliceOperation[], options: ApplyOptions): Promise<void> => {
  const { client, memory, owner, triggerTime, signal } = options
  for (const operation of operations) {
    if (operation.type === 'create') {
      memory.wrote(owner, await client.create(endpointSliceKind, stamped(operation.slice, triggerTime), { signal }))
    } else if (operation.type === 'update') {
      memory.wrote(owner, await client.update(endpointSliceKind, stamped(operation.slice, triggerTime), { signal }))
    }
  }
  for (const operation of operations) if (operation.type === 'delete') await remove(operation.slice, options)
}

const remove = async (slice: EndpointSlice, { client, memory, owner, signal }: ApplyOptions): Promise<void> => {
  const { uid } = slice.metadata
  try {
    await client.delete(endpointSliceKind, slice.metadata, { signal, ...(uid === undefined ? {} : { preconditions: { uid } }) })
    memory.deleted(owner, slice)
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

const stamped = <T extends NewObject<EndpointSlice>>(slice: T, triggerTime: string | undefined): T => {
  const { [TRIGGER_TIME_ANNOTATION]: _, ...others } = slice.metadata.annotations ?? {}
  const annotations = { ...others, ...(triggerTime === undefined ? {} : { [TRIGGER_TIME_ANNOTATION]: triggerTime }) }
  return { ...slice, metadata: { ...slice.metadata, annotations } }
}
