import { phraseOf } from '../../exchange/answers.ts'
import { Field } from '../../http1/fields.ts'
import type { ResponseHead } from '../../http1/response-head.ts'
import { fieldName, isFieldValue } from '../../http2/field-names.ts'

const STATUS = /^[1-5][0-9][0-9]$/
const DIGITS = /^[0-9]{1,15}$/

/** Translates a pod's field list (name, value, name, …) into `head`; false when it is not HTTP that may be passed on. */
export const readResponseFields = (list: readonly string[], head: ResponseHead): boolean => {
  const status = String(list[1])
  if (list[0] !== ':status' || !STATUS.test(status)) return false
  head.status = Number(status)
  head.reason = phraseOf(head.status)
  head.minor = 1
  head.keepAlive = true
  head.contentLength = -1
  head.chunked = false
  head.upgrade = false
  head.fields = ''
  for (let at = 2; at < list.length; at += 2) if (!takeField(list[at] as string, list[at + 1] as string, head)) return false
  // Switching protocols is HTTP/1's (RFC 9113 section 8.6).
  return head.status !== 101
}

const takeField = (name: string, value: string, head: ResponseHead): boolean => {
  const { kind, lower, isConnectionSpecific } = fieldName(name)
  if (kind === -1 || isConnectionSpecific || lower !== name || !isFieldValue(value)) return false
  if (kind === Field.contentLength) {
    if (!DIGITS.test(value) || (head.contentLength !== -1 && head.contentLength !== Number(value))) return false
    head.contentLength = Number(value)
  } else if (kind !== Field.hop && kind !== Field.te) head.fields += `${name}: ${value}\r\n`
  return true
}
