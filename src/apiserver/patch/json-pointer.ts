import { getOwn, isJsonObject } from './json-value.ts'

/** A mutable object or list inside of the document that is being patched. */
export type Container = Record<string, unknown> | unknown[]

/** A place in a container; in a list a number, where `-` is the one after the last. */
export interface Target {
  readonly container: Container
  readonly key: string | number
}

/** The unescaped tokens of a JSON pointer (RFC 6901); undefined if the text is none. */
export const parsePointer = (text: string): readonly string[] | undefined => {
  if (text === '') return []
  if (!text.startsWith('/') || /~(?![01])/.test(text)) return undefined
  return text
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** Follows all tokens but the last; undefined where the path breaks off, or the last is no place in its container. */
export const targetOf = (document: unknown, tokens: readonly string[]): Target | undefined => {
  let value = document
  for (const token of tokens.slice(0, -1)) value = stepInto(value, token)
  const last = tokens.at(-1)
  if (last === undefined) return undefined
  if (Array.isArray(value)) {
    const key = last === '-' ? value.length : indexOf(last)
    return key === undefined ? undefined : { container: value, key }
  }
  // The document is a private copy, so its objects may be changed.
  return isJsonObject(value) ? { container: value as Record<string, unknown>, key: last } : undefined
}

/** Whether there is a value at this place. */
export const hasValue = (container: Container, key: string | number): boolean =>
  Array.isArray(container) ? typeof key === 'number' && key < container.length : Object.hasOwn(container, String(key))

const stepInto = (value: unknown, token: string): unknown => {
  if (Array.isArray(value)) {
    const index = indexOf(token)
    return index === undefined ? undefined : value[index]
  }
  return isJsonObject(value) ? getOwn(value, token) : undefined
}

const indexOf = (token: string): number | undefined => (/^(?:0|[1-9]\d{0,8})$/.test(token) ? Number(token) : undefined)
