const namePattern = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?$/
const subdomainPattern = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/

const nameRule = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"

/** What is wrong with a label's key (`prefix/name`), if anything. */
export const checkLabelKey = (key: string): string | undefined => {
  const parts = key.split('/', 3)
  const name = parts.at(-1) ?? ''
  if (parts.length > 2) return `a qualified name ${nameRule}, with an optional DNS subdomain prefix and '/'`
  if (parts.length === 2) {
    const prefix = parts[0] ?? ''
    if (prefix === '') return 'prefix part must be non-empty'
    if (prefix.length > 253) return 'prefix part must be no more than 253 bytes'
    if (!subdomainPattern.test(prefix)) return 'prefix part must be a lowercase RFC 1123 subdomain'
  }
  if (name === '') return 'name part must be non-empty'
  if (name.length > 63) return 'name part must be no more than 63 bytes'
  return namePattern.test(name) ? undefined : `name part ${nameRule}`
}

/** What is wrong with a label's value, if anything. */
export const checkLabelValue = (value: string): string | undefined => {
  if (value.length > 63) return 'must be no more than 63 bytes'
  return value === '' || namePattern.test(value)
    ? undefined
    : `a valid label must be an empty string or ${nameRule.replace('must ', '')}`
}
