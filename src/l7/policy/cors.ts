import type { CorsPolicy } from '../table/index.ts'
import type { Answer, RequestView } from './contract.ts'
import { FieldNames, withoutFields } from './field-edits.ts'
import { fieldValue } from './template.ts'

export interface Cors {
  /** Answers every OPTIONS request of an origin that may, as ingress-nginx does. */
  preflight(request: RequestView): Answer | undefined
  /** Our fields instead of the pod's, for an origin that may; a second time changes nothing. */
  edit(fields: string, request: RequestView): string
}

const OURS = new FieldNames([
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-expose-headers',
  'access-control-max-age',
])

/** `Vary: Origin` is on every answer of the route, refused origins too: a cache must not give one origin's answer to another. */
export const compileCors = (cors: CorsPolicy): Cors => {
  const isOpen = cors.origins.includes('*')
  const matches = isOpen ? () => true : originMatcher(cors.origins)
  const constant = constantLines(cors)
  const vary = isOpen ? '' : 'Vary: Origin\r\n'
  const linesFor = (request: RequestView): string | undefined => {
    const origin = request.field('origin') ?? ''
    if (!matches(origin)) return undefined
    return `Access-Control-Allow-Origin: ${isOpen ? '*' : fieldValue(origin)}\r\n${constant}${vary}`
  }
  return {
    preflight(request) {
      if (request.method !== 'OPTIONS') return undefined
      const fields = linesFor(request)
      if (fields === undefined) return undefined
      return { status: 204, reason: 'cors-preflight', fields, body: '', contentType: 'text/plain charset=UTF-8' }
    },
    edit(fields, request) {
      const others = vary === '' ? fields : fields.replace(vary, '')
      const lines = linesFor(request)
      return lines === undefined ? others + vary : withoutFields(others, OURS) + lines
    },
  }
}

const constantLines = (cors: CorsPolicy): string => {
  const line = (name: string, value: string | undefined): string =>
    value === undefined || value === '' ? '' : `Access-Control-${name}: ${fieldValue(value)}\r\n`
  return (
    line('Allow-Credentials', cors.allowCredentials ? 'true' : undefined) +
    line('Allow-Methods', cors.methods) +
    line('Allow-Headers', cors.headers) +
    line('Expose-Headers', cors.exposeHeaders) +
    line('Max-Age', String(cors.maxAgeSeconds))
  )
}

const LABELS = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/

const originMatcher = (origins: readonly string[]): ((origin: string) => boolean) => {
  const exact = new Set<string>()
  const wildcards: { readonly before: string; readonly after: string }[] = []
  for (const origin of origins.map((each) => each.toLowerCase())) {
    const star = origin.indexOf('*')
    if (star === -1) exact.add(origin)
    else wildcards.push({ before: origin.slice(0, star), after: origin.slice(star + 1) })
  }
  exact.delete('')
  return (text) => {
    const origin = text.toLowerCase()
    return exact.has(origin) || wildcards.some((wildcard) => isWithin(origin, wildcard))
  }
}

const isWithin = (origin: string, { before, after }: { readonly before: string; readonly after: string }): boolean =>
  origin.length > before.length + after.length &&
  origin.startsWith(before) &&
  origin.endsWith(after) &&
  LABELS.test(origin.slice(before.length, origin.length - after.length))
