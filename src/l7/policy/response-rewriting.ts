import type { RoutePolicy, TextPair } from '../table/index.ts'
import { mapFields } from './field-edits.ts'
import { fieldValue } from './template.ts'

type Edit = (fields: string) => string

/** Path and Domain of a pod's cookies, as nginx's proxy_cookie_path (prefix) and proxy_cookie_domain (whole). */
export const compileCookieRewrite = ({ domain = [], path = [] }: NonNullable<RoutePolicy['cookieRewrite']>): Edit => {
  const ofDomain = domain.map(safe)
  const ofPath = path.map(safe)
  const change = (attribute: string): string => {
    const equals = attribute.indexOf('=')
    if (equals === -1) return attribute
    const name = attribute.slice(0, equals).trim().toLowerCase()
    const value = attribute.slice(equals + 1).trim()
    if (name === 'path') return `${attribute.slice(0, equals)}=${byPrefix(value, ofPath)}`
    if (name === 'domain') return `${attribute.slice(0, equals)}=${byDomain(value, ofDomain)}`
    return attribute
  }
  return (fields) =>
    mapFields(fields, 'set-cookie', (cookie) => {
      const [pair = '', ...attributes] = cookie.split(';')
      return [pair, ...attributes.map(change)].join(';')
    })
}

const safe = ({ from, to }: TextPair): TextPair => ({ from, to: fieldValue(to).replaceAll(';', '%3B') })

const byPrefix = (value: string, pairs: readonly TextPair[]): string => {
  const pair = pairs.find(({ from }) => value.startsWith(from))
  return pair === undefined ? value : pair.to + value.slice(pair.from.length)
}

/** A leading dot stays. */
const byDomain = (value: string, pairs: readonly TextPair[]): string => {
  const dot = value.startsWith('.') ? '.' : ''
  const bare = bareDomain(value)
  const pair = pairs.find(({ from }) => bareDomain(from) === bare)
  return pair === undefined ? value : dot + pair.to
}

const bareDomain = (text: string): string => (text.startsWith('.') ? text.slice(1) : text).toLowerCase()

const REFRESH_URL = /url=/i

/** The beginning of Location, and of the URL in Refresh, as nginx's proxy_redirect. */
export const compileLocationRewrite = ({ from, to: raw }: TextPair): Edit => {
  const to = fieldValue(raw)
  const change = (url: string): string => (url.startsWith(from) ? to + url.slice(from.length) : url)
  return (fields) =>
    mapFields(mapFields(fields, 'location', change), 'refresh', (value) => {
      const at = value.search(REFRESH_URL)
      return at === -1 ? value : value.slice(0, at + 4) + change(value.slice(at + 4))
    })
}
