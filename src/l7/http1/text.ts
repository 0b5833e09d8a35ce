/** First byte of a field value that is not a blank. */
export const trimmedStart = (bytes: Uint8Array, from: number, to: number): number => {
  let i = from
  while (i < to && (bytes[i] === 0x20 || bytes[i] === 0x09)) i++
  return i
}

/** One after the last byte of a field value that is not a blank. */
export const trimmedEnd = (bytes: Uint8Array, from: number, to: number): number => {
  let i = to
  while (i > from && (bytes[i - 1] === 0x20 || bytes[i - 1] === 0x09)) i--
  return i
}

/** Field lines without those whose lower-case name is in `names`. */
export const removeNamed = (fields: string, names: readonly string[]): string =>
  fields
    .split('\r\n')
    .filter((line) => line !== '' && !names.includes(line.slice(0, line.indexOf(':')).toLowerCase()))
    .map((line) => `${line}\r\n`)
    .join('')
