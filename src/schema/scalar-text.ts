const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/
const plainUtc = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

/** An RFC 3339 time as Kubernetes writes it, in UTC with whole seconds; undefined if the text is no time. */
export const normalTime = (text: string): string | undefined => {
  const instant = parseTime(text)
  if (instant === undefined) return undefined
  return plainUtc.test(text) ? text : `${secondsText(instant.ms)}Z`
}

/** An RFC 3339 time as Kubernetes writes a MicroTime, in UTC with six digits; undefined if the text is no time. */
export const normalMicroTime = (text: string): string | undefined => {
  const instant = parseTime(text)
  return instant && `${secondsText(instant.ms)}.${instant.fraction.slice(0, 6).padEnd(6, '0')}Z`
}

/** The Time of protobuf's seconds; undefined where it lies outside the years 0 to 9999. */
export const timeOfSeconds = (seconds: number): string | undefined => {
  const text = textOfMs(seconds * 1000)
  return text && `${text}Z`
}

/** The MicroTime of protobuf's seconds and nanoseconds; undefined where it lies outside the years 0 to 9999. */
export const microTimeOf = (seconds: number, nanos: number): string | undefined => {
  const text = textOfMs(seconds * 1000)
  if (text === undefined || nanos < 0 || nanos >= 1e9) return undefined
  return `${text}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`
}

const maxMs = Date.UTC(9999, 11, 31, 23, 59, 59)
const minMs = Date.parse('0000-01-01T00:00:00Z')

const textOfMs = (ms: number): string | undefined => (ms >= minMs && ms <= maxMs ? secondsText(ms) : undefined)

const secondsText = (ms: number): string => new Date(ms).toISOString().slice(0, 19)

interface Instant {
  /** Whole seconds. */
  readonly ms: number
  readonly fraction: string
}

const parseTime = (text: string): Instant | undefined => {
  // A time is at most a few dozen characters; the pattern is linear, but a megabyte of digits is no fraction.
  if (text.length > 64) return undefined
  const match = rfc3339.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone}`)
  // Date.parse takes hour 24 and, in V8, February 30.
  const isReal = Number(hour) < 24 && Number(day) <= new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()
  return Number.isNaN(ms) || !isReal || textOfMs(ms) === undefined ? undefined : { ms, fraction }
}

const quantity = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?$/

/** Whether a text is a resource.Quantity, such as `500m`, `1.5Gi` or `1e3`. */
export const isQuantity = (text: string): boolean => text.length <= 256 && quantity.test(text)

const base64 = /^[A-Za-z0-9+/]*={0,2}$/

/** Base64 as Go reads it: padded, line breaks ignored. Undefined if the text is anything else. */
export const normalBase64 = (text: string): string | undefined => {
  const bare = text.includes('\n') || text.includes('\r') ? text.replace(/[\r\n]/g, '') : text
  return bare.length % 4 === 0 && base64.test(bare) ? bare : undefined
}
