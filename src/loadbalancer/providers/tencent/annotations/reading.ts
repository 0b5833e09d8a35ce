/** What a text means, or why it means nothing. */
export type Reading<T> = { readonly kind: 'value'; readonly value: T } | { readonly kind: 'wrong'; readonly reason: string }
export type Parser<T> = (text: string) => Reading<T>

export const value = <T>(of: T): Reading<T> => ({ kind: 'value', value: of })
export const wrong = (reason: string): Reading<never> => ({ kind: 'wrong', reason })

export const flag: Parser<boolean> = (text) =>
  text === 'true' || text === 'false' ? value(text === 'true') : wrong('must be "true" or "false"')

export const oneOf =
  <const T extends string>(...allowed: readonly T[]): Parser<T> =>
  (text) => {
    const found = allowed.find((each) => each === text)
    return found === undefined ? wrong(`must be ${allowed.join(' or ')}`) : value(found)
  }

export const wholeNumber =
  (min: number, max: number): Parser<number> =>
  (text) => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    return number >= min && number <= max ? value(number) : wrong(`must be a whole number from ${min} to ${max}`)
  }

/** An id of the cloud, such as `lb-1a2b3c4d`. */
export const idOf =
  (prefix: string): Parser<string> =>
  (text) =>
    text.startsWith(`${prefix}-`) && /^[a-z0-9-]{1,60}$/.test(text.slice(prefix.length + 1))
      ? value(text)
      : wrong(`must be an id such as ${prefix}-1a2b3c4d`)

/** Separated by commas, each once; an empty text is an empty list. */
export const listOf =
  <T>(item: Parser<T>, max: number): Parser<readonly T[]> =>
  (text) => {
    const parts = text.trim() === '' ? [] : text.split(',').map((part) => part.trim())
    if (parts.length > max) return wrong(`must have at most ${max} items`)
    if (new Set(parts).size < parts.length) return wrong('has an item twice')
    const read = parts.map(item)
    const bad = read.find((each) => each.kind === 'wrong')
    if (bad?.kind === 'wrong') return wrong(`each item ${bad.reason}`)
    return value(read.flatMap((each) => (each.kind === 'value' ? [each.value] : [])))
  }

export const anything: Parser<string> = (text) => value(text)

/** JSON that `read` understands; it throws a {@link ShapeError} with what is wrong. */
export const json =
  <T>(read: (found: unknown) => T): Parser<T> =>
  (text) => {
    try {
      return value(read(JSON.parse(text)))
    } catch (error) {
      return wrong(error instanceof ShapeError ? error.message : 'must be JSON')
    }
  }

export class ShapeError extends Error {
  override readonly name = 'ShapeError'
}

type Fields = Readonly<Record<string, unknown>>

/** The fields of an object that has no others than `allowed`. */
export const fieldsOf = (found: unknown, at: string, allowed?: readonly string[]): Fields => {
  if (typeof found !== 'object' || found === null || Array.isArray(found)) throw new ShapeError(`${at} must be an object`)
  const unknown = Object.keys(found).find((name) => allowed !== undefined && !allowed.includes(name))
  if (unknown !== undefined) throw new ShapeError(`${at} has the unknown field ${JSON.stringify(unknown.slice(0, 60))}`)
  return found as Fields
}

export const itemsOf = (found: unknown, at: string): readonly unknown[] => {
  if (!Array.isArray(found)) throw new ShapeError(`${at} must be a list`)
  if (found.length > 200) throw new ShapeError(`${at} must have at most 200 items`)
  return found
}

export const textOf = (found: unknown, at: string, pattern = /^[!-~]{1,253}$/): string => {
  if (typeof found !== 'string' || !pattern.test(found)) throw new ShapeError(`${at} is not well written`)
  return found
}

export const numberOf = (found: unknown, at: string, [min, max]: readonly [number, number]): number => {
  if (typeof found !== 'number' || !Number.isInteger(found) || found < min || found > max)
    throw new ShapeError(`${at} must be a whole number from ${min} to ${max}`)
  return found
}
