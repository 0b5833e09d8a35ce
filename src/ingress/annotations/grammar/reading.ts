/** What a text was read as, or why it is not that; `why` completes "… : it must be …" and never quotes more than a little of the text. */
export type Reading<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string }

/** A closed grammar: total, pure, and never wider than what it says. */
export type Parser<T> = (text: string) => Reading<T>

export const is = <T>(value: T): Reading<T> => ({ ok: true, value })
export const isNot = (why: string): { readonly ok: false; readonly why: string } => ({ ok: false, why })

export const map =
  <A, B>(parser: Parser<A>, change: (value: A) => B): Parser<B> =>
  (text) => {
    const reading = parser(text)
    return reading.ok ? is(change(reading.value)) : reading
  }

/** One of these words, exactly. */
export const oneOf =
  <const W extends string>(...words: readonly W[]): Parser<W> =>
  (text) => {
    const found = words.find((word) => word === text.trim())
    return found === undefined ? isNot(`one of ${words.join(', ')}`) : is(found)
  }

const LONGEST_LIST = 500

/** Items between commas (or what `separator` says); empty ones are skipped, an empty list is refused. */
export const listOf =
  <T>(item: Parser<T>, separator: RegExp = /,/): Parser<readonly T[]> =>
  (text) => {
    const parts = text
      .split(separator)
      .map((part) => part.trim())
      .filter((part) => part !== '')
    if (parts.length === 0) return isNot('a list of at least one item')
    if (parts.length > LONGEST_LIST) return isNot(`a list of at most ${LONGEST_LIST} items`)
    const values: T[] = []
    for (const part of parts) {
      const reading = item(part)
      if (!reading.ok) return isNot(`a list in which each item is ${reading.why}; ${shown(part)} is not`)
      values.push(reading.value)
    }
    return is(values)
  }

/** A piece of foreign text for a message: printable ASCII, short, in quotes. */
export const shown = (text: string): string => JSON.stringify(text.replace(/[^ -~]/g, '?').slice(0, 60))
