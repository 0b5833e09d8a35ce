/** More than this many duplicates of one body help nobody. */
const limit = 100

/**
 * The paths of fields that occur twice in one object of a JSON text, such as `spec.ports[0].port`; JSON.parse silently takes the last.
 * Linear in the text's length, without recursion. The text must have been accepted by JSON.parse before.
 */
export const duplicateFields = (text: string): readonly string[] => {
  const found: string[] = []
  const open: Container[] = []
  let isKey = false
  for (let at = 0; at < text.length; at++) {
    const top = open.at(-1)
    switch (text.charCodeAt(at)) {
      case openBrace:
        open.push({ keys: new Set(), step: '', index: -1 })
        isKey = true
        break
      case openBracket:
        open.push({ keys: undefined, step: '', index: 0 })
        isKey = false
        break
      case closeBrace:
      case closeBracket:
        open.pop()
        isKey = false
        break
      case comma:
        if (top === undefined) break
        isKey = top.keys !== undefined
        if (!isKey) top.index++
        break
      case quote: {
        const end = endOfString(text, at)
        if (isKey && top?.keys !== undefined) {
          top.step = keyOf(text.slice(at, end))
          if (top.keys.has(top.step) && found.length < limit) found.push(pathOf(open))
          top.keys.add(top.step)
          isKey = false
        }
        at = end - 1
      }
    }
  }
  return [...new Set(found)]
}

interface Container {
  /** Undefined for an array. */
  readonly keys: Set<string> | undefined
  step: string
  index: number
}

const quote = 0x22
const comma = 0x2c
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/** The position after the closing quote of the string that starts at `start`. */
const endOfString = (text: string, start: number): number => {
  let at = start + 1
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === quote) return at + 1
    at += code === backslash ? 2 : 1
  }
  return text.length
}

const keyOf = (literal: string): string => {
  if (!literal.includes('\\')) return literal.slice(1, -1)
  const key: unknown = JSON.parse(literal)
  return String(key)
}

const shownKeyLength = 200

const pathOf = (open: readonly Container[]): string => {
  let path = ''
  for (const { keys, step, index } of open) {
    if (keys === undefined) path += `[${index}]`
    else path += `${path === '' ? '' : '.'}${step.slice(0, shownKeyLength)}`
  }
  return path
}
