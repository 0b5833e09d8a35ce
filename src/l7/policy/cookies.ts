/** The first value of a cookie in a Cookie field, as it was sent; names are compared exactly (RFC 6265 section 5.4). */
export const cookieValue = (cookies: string | undefined, name: string): string | undefined => {
  if (cookies === undefined) return undefined
  for (let from = 0; from <= cookies.length; ) {
    const semicolon = cookies.indexOf(';', from)
    const to = semicolon === -1 ? cookies.length : semicolon
    const equals = cookies.indexOf('=', from)
    if (equals === -1) return undefined
    if (equals < to && cookies.slice(from, equals).trim() === name) return unquoted(cookies.slice(equals + 1, to).trim())
    from = to + 1
  }
  return undefined
}

const unquoted = (value: string): string =>
  value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
