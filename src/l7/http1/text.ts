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

/** The value of a field in field lines, several joined by `, ` (Cookie: `; `); `name` in lower case. */
export const fieldValue = (fields: string, name: string, lowered = `\r\n${fields.toLowerCase()}`): string | undefined => {
  const wanted = `\r\n${name}:`
  let value: string | undefined
  for (let at = lowered.indexOf(wanted); at !== -1; at = lowered.indexOf(wanted, at + 1)) {
    // `fields` begins two bytes later than the text that is searched.
    const from = at + wanted.length - 2
    const line = fields.slice(from, fields.indexOf('\r\n', from)).trim()
    value = value === undefined ? line : `${value}${name === 'cookie' ? '; ' : ', '}${line}`
  }
  return value
}

/** Field lines without those whose lower-case name is in `names`. */
export const removeNamed = (fields: string, names: readonly string[]): string =>
  fields
    .split('\r\n')
    .filter((line) => line !== '' && !names.includes(line.slice(0, line.indexOf(':')).toLowerCase()))
    .map((line) => `${line}\r\n`)
    .join('')
