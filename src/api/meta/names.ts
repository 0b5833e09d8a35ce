/**
 * The spellings that Kubernetes asks of names, keys and values. Each check returns what is wrong, in Kubernetes' words; empty when
 * nothing is. The rules are those of RFC 1035 2.3.1, RFC 1123 2.1 and the documentation of labels.
 */

const DNS_1123_LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const DNS_1123_SUBDOMAIN = `${DNS_1123_LABEL}(\\.${DNS_1123_LABEL})*`
const DNS_1035_LABEL = '[a-z]([-a-z0-9]*[a-z0-9])?'
const WILDCARD_SUBDOMAIN = `\\*\\.${DNS_1123_SUBDOMAIN}`
const NAME_PART = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const LABEL_VALUE = `(${NAME_PART})?`
const CONFIG_KEY = '[-._a-zA-Z0-9]+'
const HTTP_HEADER = '[-A-Za-z0-9]+'
const PERCENT = '[0-9]+%'

const pattern = (source: string): RegExp => new RegExp(`^(?:${source})$`)

const dns1123Label = pattern(DNS_1123_LABEL)
const dns1123Subdomain = pattern(DNS_1123_SUBDOMAIN)
const dns1035Label = pattern(DNS_1035_LABEL)
const wildcardSubdomain = pattern(WILDCARD_SUBDOMAIN)
const namePart = pattern(NAME_PART)
const labelValue = pattern(LABEL_VALUE)
const configKey = pattern(CONFIG_KEY)
const httpHeader = pattern(HTTP_HEADER)
const percent = pattern(PERCENT)

/** The sentence with which Kubernetes explains a pattern. */
const explained = (rule: string, source: string, ...examples: readonly string[]): string => {
  const shown = examples.map((example) => `'${example}', `).join(' or ')
  return `${rule} (${examples.length === 0 ? '' : `e.g. ${shown}`}regex used for validation is '${source}')`
}

const MUST_BE_NON_EMPTY = 'must be non-empty'
const maxLength = (length: number): string => `must be no more than ${length} bytes`
const ALPHANUMERIC_RULE =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"

export const rangeMessage = (min: number, max: number): string => `must be between ${min} and ${max}, inclusive`

/** A label of a DNS name, which may start with a digit. */
export const dns1123LabelErrors = (value: string): readonly string[] => {
  const errors = value.length > 63 ? [maxLength(63)] : []
  if (dns1123Label.test(value)) return errors
  if (dns1123Subdomain.test(value)) return [...errors, 'must not contain dots']
  const rule =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character"
  return [...errors, explained(rule, DNS_1123_LABEL, 'my-name', '123-abc')]
}

/** Labels with dots between them. */
export const dns1123SubdomainErrors = (value: string): readonly string[] => {
  const errors = value.length > 253 ? [maxLength(253)] : []
  if (dns1123Subdomain.test(value)) return errors
  const rule =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
  return [...errors, explained(rule, DNS_1123_SUBDOMAIN, 'example.com')]
}

/** A label that starts with a letter: names of Services. */
export const dns1035LabelErrors = (value: string): readonly string[] => {
  const errors = value.length > 63 ? [maxLength(63)] : []
  if (dns1035Label.test(value)) return errors
  const rule =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character"
  return [...errors, explained(rule, DNS_1035_LABEL, 'my-name', 'abc-123')]
}

/** `*.` before a subdomain. */
export const wildcardSubdomainErrors = (value: string): readonly string[] => {
  const errors = value.length > 253 ? [maxLength(253)] : []
  if (wildcardSubdomain.test(value)) return errors
  const rule =
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
  return [...errors, explained(rule, WILDCARD_SUBDOMAIN, '*.example.com')]
}

/** A DNS name of two labels or more, with or without its final dot. */
export const fullyQualifiedDomainNameErrors = (value: string): readonly string[] => {
  const name = value.endsWith('.') ? value.slice(0, -1) : value
  const errors = dns1123SubdomainErrors(name)
  if (errors.length > 0) return [errors.join(',')]
  const labels = name.split('.')
  if (labels.length < 2) return ['should be a domain with at least two segments separated by dots']
  const bad = labels.map(dns1123LabelErrors).find((each) => each.length > 0)
  return bad === undefined ? [] : [bad.join(',')]
}

/** A key of labels and annotations: a name, with a subdomain and `/` before it if need be. */
export const qualifiedNameErrors = (value: string): readonly string[] => {
  const parts = value.split('/', 3)
  const name = parts.at(-1) ?? ''
  if (parts.length > 2) {
    const sentence = explained(ALPHANUMERIC_RULE, NAME_PART, 'MyName', 'my.name', '123-abc')
    return [`a qualified name ${sentence} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`]
  }
  const errors: string[] = []
  const prefix = parts.length === 2 ? parts[0] : undefined
  if (prefix === '') errors.push(`prefix part ${MUST_BE_NON_EMPTY}`)
  else if (prefix !== undefined) errors.push(...dns1123SubdomainErrors(prefix).map((error) => `prefix part ${error}`))
  if (name === '') errors.push(`name part ${MUST_BE_NON_EMPTY}`)
  else if (name.length > 63) errors.push(`name part ${maxLength(63)}`)
  if (!namePart.test(name)) errors.push(`name part ${explained(ALPHANUMERIC_RULE, NAME_PART, 'MyName', 'my.name', '123-abc')}`)
  return errors
}

/** The value of a label: empty, or up to 63 letters, digits and `-_.`. */
export const labelValueErrors = (value: string): readonly string[] => {
  const errors = value.length > 63 ? [maxLength(63)] : []
  if (labelValue.test(value)) return errors
  const rule = `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character`
  return [...errors, explained(rule, LABEL_VALUE, 'MyValue', 'my_value', '12345')]
}

export const portNumberErrors = (value: number): readonly string[] =>
  value >= 1 && value <= 65535 ? [] : [rangeMessage(1, 65535)]

/** The name of a container's or Service's port, as IANA registers them (RFC 6335 5.1). */
export const portNameErrors = (value: string): readonly string[] => {
  const errors: string[] = []
  if (value.length > 15) errors.push(maxLength(15))
  if (!/^[-a-z0-9]+$/.test(value)) errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(value)) errors.push('must contain at least one letter (a-z)')
  if (value.includes('--')) errors.push('must not contain consecutive hyphens')
  if (value.startsWith('-') || value.endsWith('-')) errors.push('must not begin or end with a hyphen')
  return errors
}

/** A port by number or by name, as probes and `targetPort` have it. */
export const portNumberOrNameErrors = (value: number | string): readonly string[] =>
  typeof value === 'number' ? portNumberErrors(value) : portNameErrors(value)

/** A key of a ConfigMap or Secret, which may become a file name. */
export const configKeyErrors = (value: string): readonly string[] => {
  const errors = value.length > 253 ? [maxLength(253)] : []
  if (!configKey.test(value)) {
    const rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
    errors.push(explained(rule, CONFIG_KEY, 'key.name', 'KEY_NAME', 'key-name'))
  }
  if (value === '.') errors.push("must not be '.'")
  else if (value === '..') errors.push("must not be '..'")
  else if (value.startsWith('..')) errors.push("must not start with '..'")
  return errors
}

/** The name of an environment variable, as Kubernetes takes it since 1.34: any printable ASCII but `=`. */
export const envVarNameErrors = (value: string): readonly string[] => {
  if (value === '') return [`environment variable name ${MUST_BE_NON_EMPTY}`]
  return /^[ -<>-~]+$/.test(value)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
}

export const httpHeaderNameErrors = (value: string): readonly string[] =>
  httpHeader.test(value)
    ? []
    : [explained("a valid HTTP header must consist of alphanumeric characters or '-'", HTTP_HEADER, 'X-Header-Name')]

export const percentErrors = (value: string): readonly string[] =>
  percent.test(value)
    ? []
    : [explained("a valid percent string must be a numeric string followed by an ending '%'", PERCENT, '1%', '93%')]

const HTTP_PATH = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+"

/** Says whether the part of a domain-prefixed path after its first slash is one. */
export const httpPathErrors = (value: string): readonly string[] =>
  pattern(HTTP_PATH).test(value) ? [] : [explained('Invalid path', HTTP_PATH)]

/** A name that may stand in a URL's path, the least that every object's name fulfils. */
export const pathSegmentErrors = (value: string): readonly string[] => {
  if (value === '.' || value === '..') return [`may not be '${value}'`]
  return ['/', '%'].filter((character) => value.includes(character)).map((character) => `may not contain '${character}'`)
}
