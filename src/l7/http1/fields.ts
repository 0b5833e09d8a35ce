/** What the engine does with a field, known by its name. */
export const Field = {
  keep: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  expect: 5,
  upgrade: 6,
  /** Hop by hop: never forwarded. */
  hop: 7,
  te: 8,
  forwardedFor: 9,
  /** Says who the client is; believed only from trusted peers. */
  identity: 10,
  requestId: 11,
  /** Says who the client is and is not made by us: dropped from untrusted peers. */
  realIp: 12,
} as const

const KINDS: Readonly<Record<string, number>> = {
  host: Field.host,
  'content-length': Field.contentLength,
  'transfer-encoding': Field.transferEncoding,
  connection: Field.connection,
  expect: Field.expect,
  upgrade: Field.upgrade,
  'keep-alive': Field.hop,
  'proxy-connection': Field.hop,
  'proxy-authorization': Field.hop,
  'proxy-authenticate': Field.hop,
  'http2-settings': Field.hop,
  // Made by us from a TLS client's certificate, never believed.
  'ssl-client-verify': Field.hop,
  'ssl-client-subject-dn': Field.hop,
  'ssl-client-issuer-dn': Field.hop,
  'ssl-client-cert': Field.hop,
  trailer: Field.hop,
  te: Field.te,
  forwarded: Field.identity,
  'x-forwarded-for': Field.forwardedFor,
  'x-forwarded-proto': Field.identity,
  'x-forwarded-host': Field.identity,
  'x-forwarded-port': Field.identity,
  'x-real-ip': Field.realIp,
  'x-request-id': Field.requestId,
}

interface KnownName {
  readonly bytes: Uint8Array
  readonly kind: number
}

const LONGEST = 32
const slot = (length: number, first: number): number => (length << 5) | (first & 31)
const known: (readonly KnownName[] | undefined)[] = new Array(LONGEST << 5).fill(undefined)
for (const [name, kind] of Object.entries(KINDS)) {
  const key = slot(name.length, name.charCodeAt(0))
  known[key] = [...(known[key] ?? []), { bytes: Buffer.from(name, 'latin1'), kind }]
}

/** Bit 1: a token character (RFC 9110 section 5.6.2); bit 2: one that some servers take for `-`. */
const TOKEN = new Uint8Array(256)
for (const character of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
  TOKEN[character.charCodeAt(0)] = character === '_' || character === '.' ? 3 : 1

const COLON = 0x3a
/** The colon that ends the last name that was read. */
export let colonAt = 0

/** The kind of the field whose line begins at `from`, or -1 when the name is not a token directly before a colon. */
export const fieldKind = (bytes: Uint8Array, from: number, to: number): number => {
  let i = from
  let seen = 0
  for (; i < to; i++) {
    const token = TOKEN[bytes[i] as number] as number
    if (token === 0) break
    seen |= token
  }
  if (i === from || i >= to || bytes[i] !== COLON) return -1
  colonAt = i
  const length = i - from
  if (seen === 3 && isAlias(bytes, from, i)) return Field.hop
  if (length >= LONGEST) return isForwarded(bytes, from, i) ? Field.identity : Field.keep
  const candidates = known[slot(length, bytes[from] as number)]
  if (candidates !== undefined) {
    for (const candidate of candidates) if (sameName(bytes, from, candidate.bytes)) return candidate.kind
  }
  return length > FORWARDED.length && isForwarded(bytes, from, i) ? Field.identity : Field.keep
}

const sameName = (bytes: Uint8Array, from: number, name: Uint8Array): boolean => {
  for (let i = 0; i < name.length; i++) if (((bytes[from + i] as number) | 0x20) !== name[i]) return false
  return true
}

const FORWARDED = Buffer.from('x-forwarded-', 'latin1')
const isForwarded = (bytes: Uint8Array, from: number, to: number): boolean =>
  to - from > FORWARDED.length && sameName(bytes, from, FORWARDED)

/** `X_Forwarded_For` or `Content.Length` reach many programs as the real field (GHSA-x677-9fxg-v5c5): never forwarded. */
const isAlias = (bytes: Uint8Array, from: number, to: number): boolean => {
  const name = Buffer.from(bytes.subarray(from, to)).toString('latin1').toLowerCase().replace(/[_.]/g, '-')
  return Object.hasOwn(KINDS, name) || name.startsWith('x-forwarded-')
}

/** Fields that Connection may not name, as removing them would change what the message means to the pod. */
const PROTECTED = new Set(['host', 'authorization', 'cookie', 'content-type', 'cache-control', 'date', 'location', 'set-cookie'])

/** The field names in a Connection value that are to be removed; undefined when the value is not a token list. */
export const namedByConnection = (value: string): readonly string[] | undefined => {
  const names: string[] = []
  for (const part of value.split(',')) {
    const name = part.trim().toLowerCase()
    if (name === '') continue
    if (!isToken(name)) return undefined
    if (!PROTECTED.has(name) && !name.startsWith('x-forwarded-') && !Object.hasOwn(KINDS, name)) names.push(name)
  }
  return names
}

export const isToken = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) if (((TOKEN[text.charCodeAt(i)] ?? 0) & 1) === 0) return false
  return text !== ''
}
