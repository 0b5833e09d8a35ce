import type { RoutePolicy } from '../../../l7/table/index.ts'
import { honoured, type ValuesOf } from '../annotation.ts'
import { token } from '../grammar/names.ts'
import { is, isNot, listOf, map, type Parser } from '../grammar/reading.ts'
import { boolean, integer } from '../grammar/scalars.ts'

const ORIGIN =
  /^[a-z][a-z0-9+.-]{0,31}:\/\/(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*(?::(?:[0-9]{1,5}|\*))?$|^https?:\/\/\[[0-9a-f:.]+\](?::[0-9]{1,5})?$/
const origin: Parser<string> = (text) => {
  const lower = text.toLowerCase()
  return lower === '*' || ORIGIN.test(lower)
    ? is(lower)
    : isNot('* or an origin such as https://example.com or https://*.example.com')
}

const tokens = map(listOf(token), (all) => all.join(', '))
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'CONNECT', 'TRACE']
const methods: Parser<string> = (text) => {
  const reading = listOf(token)(text)
  if (!reading.ok) return reading
  return reading.value.every((each) => METHODS.includes(each))
    ? is(reading.value.join(', '))
    : isNot(`some of ${METHODS.join(', ')}`)
}

export const corsAnnotations = {
  'enable-cors': honoured(boolean),
  'cors-allow-origin': honoured(listOf(origin)),
  'cors-allow-methods': honoured(methods),
  'cors-allow-headers': honoured(tokens),
  'cors-allow-credentials': honoured(boolean),
  'cors-expose-headers': honoured(tokens),
  'cors-max-age': honoured(integer(0, 31_536_000)),
} as const

type Values = ValuesOf<typeof corsAnnotations>

const DEFAULT_METHODS = 'GET, PUT, POST, DELETE, PATCH, OPTIONS'
const DEFAULT_HEADERS =
  'DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization'

export const crossOrigin = (values: Values): RoutePolicy => {
  if (values['enable-cors'] !== true) return {}
  const exposeHeaders = values['cors-expose-headers']
  return {
    cors: {
      origins: values['cors-allow-origin'] ?? ['*'],
      methods: values['cors-allow-methods'] ?? DEFAULT_METHODS,
      headers: values['cors-allow-headers'] ?? DEFAULT_HEADERS,
      ...(exposeHeaders && { exposeHeaders }),
      allowCredentials: values['cors-allow-credentials'] ?? true,
      maxAgeSeconds: values['cors-max-age'] ?? 1_728_000,
    },
  }
}
