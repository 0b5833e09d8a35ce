import { ApiError, badRequest } from '../../api/index.ts'
import { type Container, hasValue, parsePointer, type Target, targetOf } from './json-pointer.ts'
import { getOwn, isJsonObject, scalarText, setOwn } from './json-value.ts'
import { PatchFailure, WorkBudget } from './work-budget.ts'

const maxOperations = 10_000
const maxTokens = 500

/**
 * JSON patch (RFC 6902): all operations in order, or none. Changes neither argument. Throws an ApiError: 400 for a body that is no
 * patch, 413 for one that is too long, 422 for one that cannot be applied to this object.
 *
 * Own code in place of the rfc6902 package, which compares lists in quadratic memory, reads inherited properties, and has no limit on
 * what repeated copies of the document into itself grow to.
 */
export const applyJsonPatch = (current: unknown, patch: unknown): unknown => {
  if (!Array.isArray(patch)) throw badRequest('a JSON patch must be a list of operations')
  if (patch.length > maxOperations) {
    throw new ApiError({
      code: 413,
      reason: 'RequestEntityTooLarge',
      message: `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`,
    })
  }
  const budget = new WorkBudget()
  const root: { document: unknown } = { document: new WorkBudget().copy(current) }
  for (const [index, operation] of patch.entries()) {
    if (!isJsonObject(operation)) throw badRequest(`operation ${index} of the JSON patch must be an object`)
    try {
      applyOperation(root, operation, budget)
    } catch (error) {
      if (!(error instanceof PatchFailure)) throw error
      const shown = JSON.stringify(operation['path'])?.slice(0, 200)
      throw unprocessable(`operation ${index} (${scalarText(operation['op']).slice(0, 20)} ${shown}): ${error.message}`)
    }
  }
  return root.document
}

const unprocessable = (cause: string): ApiError =>
  new ApiError({
    code: 422,
    reason: 'Invalid',
    message: `the server rejected our request due to an error in our request: ${cause}`,
  })

interface Root {
  document: unknown
}

type Operation = Readonly<Record<string, unknown>>

const applyOperation = (root: Root, operation: Operation, budget: WorkBudget): void => {
  const path = pointerOf(operation, 'path')
  switch (operation['op']) {
    case 'add':
      add(root, path, budget.copy(operand(operation)), budget)
      return
    case 'remove':
      remove(root, path, budget)
      return
    case 'replace':
      replace(root, path, budget.copy(operand(operation)))
      return
    case 'move':
      move(root, pointerOf(operation, 'from'), path, budget)
      return
    case 'copy':
      add(root, path, budget.copy(read(root, pointerOf(operation, 'from'))), budget)
      return
    case 'test':
      if (budget.isEqual(read(root, path), operand(operation))) return
      throw new PatchFailure('the value is another')
    default:
      throw new PatchFailure('unknown operation')
  }
}

type Pointer = readonly string[]

const pointerOf = (operation: Operation, member: 'path' | 'from'): Pointer => {
  const text = getOwn(operation, member)
  const pointer = typeof text === 'string' ? parsePointer(text) : undefined
  if (pointer !== undefined && pointer.length > maxTokens) throw new PatchFailure('the path is too deep')
  if (pointer === undefined) throw new PatchFailure(`"${member}" must be a JSON pointer, such as "/spec/ports/0"`)
  return pointer
}

const operand = (operation: Operation): unknown => {
  if (!Object.hasOwn(operation, 'value')) throw new PatchFailure('"value" is missing')
  return operation['value']
}

/** Where a pointer that is not the root leads; its container must exist. */
const target = (root: Root, pointer: Pointer): Target => {
  const found = targetOf(root.document, pointer)
  if (found === undefined) throw new PatchFailure('the path leads nowhere')
  return found
}

const read = (root: Root, pointer: Pointer): unknown => {
  if (pointer.length === 0) return root.document
  const { container, key } = target(root, pointer)
  if (!hasValue(container, key)) throw new PatchFailure('there is no such value')
  return elementOf(container, key)
}

const elementOf = (container: Container, key: string | number): unknown =>
  Array.isArray(container) ? container[Number(key)] : getOwn(container, String(key))

const add = (root: Root, pointer: Pointer, value: unknown, budget: WorkBudget): void => {
  if (pointer.length === 0) {
    root.document = value
    return
  }
  const { container, key } = target(root, pointer)
  if (!Array.isArray(container)) {
    setOwn(container, String(key), value)
    return
  }
  if (typeof key !== 'number' || key > container.length) throw new PatchFailure('the index is beyond the end of the list')
  budget.spend(container.length - key)
  container.splice(key, 0, value)
}

const remove = (root: Root, pointer: Pointer, budget: WorkBudget): void => {
  if (pointer.length === 0) throw new PatchFailure('the whole object cannot be removed')
  const { container, key } = target(root, pointer)
  if (!hasValue(container, key)) throw new PatchFailure('there is no such value')
  if (Array.isArray(container)) {
    budget.spend(container.length - Number(key))
    container.splice(Number(key), 1)
  } else {
    delete container[String(key)]
  }
}

const replace = (root: Root, pointer: Pointer, value: unknown): void => {
  if (pointer.length === 0) {
    root.document = value
    return
  }
  const { container, key } = target(root, pointer)
  if (!hasValue(container, key)) throw new PatchFailure('there is no such value')
  if (Array.isArray(container)) container[Number(key)] = value
  else setOwn(container, String(key), value)
}

const move = (root: Root, from: Pointer, path: Pointer, budget: WorkBudget): void => {
  const value = budget.copy(read(root, from))
  const isSame = from.length === path.length && from.every((token, index) => token === path[index])
  if (isSame) return
  if (from.length < path.length && from.every((token, index) => token === path[index])) {
    throw new PatchFailure('a value cannot be moved into itself')
  }
  if (path.length === 0) {
    root.document = value
    return
  }
  remove(root, from, budget)
  add(root, path, value, budget)
}
