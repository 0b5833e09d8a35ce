import type { RoutePolicy, Template, TextPair } from '../../../l7/table/index.ts'
import { cidr } from '../grammar/addresses.ts'
import { fieldName } from '../grammar/names.ts'
import { pairOrOff } from '../grammar/pairs.ts'
import type { Parser } from '../grammar/reading.ts'
import { duration, onOff, size } from '../grammar/scalars.ts'
import { fieldTemplate, hostTemplate } from '../grammar/template.ts'
import { redirectUrl } from '../grammar/url.ts'

/** What the lines of a snippet come to. */
export interface Lifted {
  /** nginx's `add_header` without `always`: only for some statuses. */
  readonly addSome: (readonly [string, Template])[]
  readonly add: (readonly [string, Template])[]
  readonly set: (readonly [string, Template])[]
  readonly remove: string[]
  readonly requestSet: (readonly [string, Template])[]
  readonly requestRemove: string[]
  /** `allow` and `deny` in their order. */
  readonly access: { readonly allows: boolean; readonly range: string }[]
  readonly cookieDomain: TextPair[]
  readonly cookiePath: TextPair[]
  policy: RoutePolicy
}

export const newLifted = (): Lifted => ({
  addSome: [],
  add: [],
  set: [],
  remove: [],
  requestSet: [],
  requestRemove: [],
  access: [],
  cookieDomain: [],
  cookiePath: [],
  policy: {},
})

/** Takes the arguments of a directive; false when it cannot do what they say. */
type Directive = (into: Lifted, args: readonly string[]) => boolean

const nothing: Directive = () => true

const read = <T>(parser: Parser<T>, text: string | undefined): T | undefined => {
  const reading = text === undefined ? undefined : parser(text)
  return reading?.ok ? reading.value : undefined
}

const policyOf =
  <T>(parser: Parser<T>, change: (value: T, policy: RoutePolicy) => RoutePolicy): Directive =>
  (into, args) => {
    const value = args.length === 1 ? read(parser, args[0]) : undefined
    if (value === undefined) return false
    into.policy = { ...into.policy, ...change(value, into.policy) }
    return true
  }

const timeout = (name: 'connectMs' | 'sendMs' | 'readMs'): Directive =>
  policyOf(duration, (value, { timeouts }) => ({ timeouts: { ...timeouts, [name]: value } }))

const addHeader: Directive = (into, [rawName, rawValue, always, ...others]) => {
  const name = read(fieldName, rawName)
  const value = read(fieldTemplate, rawValue)
  if (name === undefined || value === undefined || others.length > 0 || (always !== undefined && always !== 'always'))
    return false
  const list = always === undefined ? into.addSome : into.add
  list.push([name, value])
  return true
}

const LINE = /^([A-Za-z0-9_-]+):[ \t]*(.*)$/

/** `"Name: value"`, each; an empty value takes the field out. Options (`-s`, `-t`) are not understood. */
const setLines =
  (set: (into: Lifted) => (readonly [string, Template])[], remove: (into: Lifted) => string[]): Directive =>
  (into, args) =>
    args.length > 0 &&
    args.every((arg) => {
      const [, rawName, rawValue = ''] = LINE.exec(arg) ?? []
      const name = read(fieldName, rawName)
      if (name === undefined) return false
      if (rawValue === '') return remove(into).push(name) > 0
      const value = read(fieldTemplate, rawValue)
      return value !== undefined && set(into).push([name, value]) > 0
    })

const names =
  (list: (into: Lifted) => string[]): Directive =>
  (into, args) =>
    args.length > 0 &&
    args.every((arg) => {
      const name = read(fieldName, arg.replace(/:$/, ''))
      return name !== undefined && list(into).push(name) > 0
    })

const proxySetHeader: Directive = (into, [rawName = '', rawValue, ...others]) => {
  if (rawValue === undefined || others.length > 0) return false
  const lower = rawName.toLowerCase()
  // What everybody writes for WebSocket; the engine does it by itself.
  if (lower === 'upgrade' || lower === 'connection') return /^(?:\$http_upgrade|\$connection_upgrade|upgrade|)$/i.test(rawValue)
  if (lower === 'host') return setHost(into, rawValue)
  const name = read(fieldName, rawName)
  if (name === undefined) return false
  if (rawValue === '') return into.requestRemove.push(name) > 0
  const value = read(fieldTemplate, rawValue)
  return value !== undefined && into.requestSet.push([name, value]) > 0
}

const setHost = (into: Lifted, text: string): boolean => {
  const upstreamHost = read(hostTemplate, text)
  if (upstreamHost === undefined) return false
  into.policy = { ...into.policy, upstreamHost }
  return true
}

const accessLine =
  (allows: boolean): Directive =>
  (into, [text, ...others]) => {
    const range = text === 'all' ? 'all' : read(cidr, text)
    return range !== undefined && others.length === 0 && into.access.push({ allows, range }) > 0
  }

const BODY = /^[ -~]{0,1024}$/

const returns: Directive = (into, [first = '', text, ...others]) => {
  if (others.length > 0 || into.policy.redirects !== undefined || into.policy.answer !== undefined) return false
  if (/^(?:https?:|\$scheme)/.test(first) && text === undefined) return redirect(into, 302, first)
  if (!/^[2-5][0-9]{2}$/.test(first)) return false
  const status = Number(first)
  if (status === 301 || status === 302 || status === 303 || status === 307 || status === 308) return redirect(into, status, text)
  // 444 closes the connection without an answer.
  if (status === 444 || (text !== undefined && (!BODY.test(text) || text.includes('$')))) return false
  into.policy = { ...into.policy, answer: { status, ...(text && { contentType: 'text/plain', body: text }) } }
  return true
}

const redirect = (into: Lifted, status: 301 | 302 | 303 | 307 | 308, url: string | undefined): boolean => {
  const to = read(redirectUrl, url)
  if (to === undefined) return false
  into.policy = { ...into.policy, redirects: [{ status, when: 'always', to }] }
  return true
}

const expires: Directive = (into, [text, ...others]) => {
  if (text === undefined || others.length > 0) return false
  if (text === 'off') return true
  const ms = read(duration, text)
  const value = text === 'epoch' || text === '-1' ? 'no-cache' : ms === undefined ? undefined : `max-age=${Math.floor(ms / 1000)}`
  return value !== undefined && into.addSome.push(['cache-control', [value]]) > 0
}

const cookiePair =
  (list: (into: Lifted) => TextPair[]): Directive =>
  (into, args) => {
    const pairs = read(pairOrOff, args.join(' '))
    return pairs !== undefined && list(into).push(...pairs) >= 0
  }

/** The lines that a snippet may consist of. */
export const DIRECTIVES: ReadonlyMap<string, Directive> = new Map<string, Directive>([
  ['add_header', addHeader],
  [
    'more_set_headers',
    setLines(
      (into) => into.set,
      (into) => into.remove,
    ),
  ],
  ['more_clear_headers', names((into) => into.remove)],
  ['proxy_hide_header', (into, args) => args.length === 1 && names((all: Lifted) => all.remove)(into, args)],
  ['proxy_set_header', proxySetHeader],
  [
    'more_set_input_headers',
    setLines(
      (into) => into.requestSet,
      (into) => into.requestRemove,
    ),
  ],
  ['more_clear_input_headers', names((into) => into.requestRemove)],
  ['return', returns],
  ['expires', expires],
  ['allow', accessLine(true)],
  ['deny', accessLine(false)],
  ['client_max_body_size', policyOf(size, (maxBodyBytes) => ({ maxBodyBytes }))],
  ['proxy_connect_timeout', timeout('connectMs')],
  ['proxy_send_timeout', timeout('sendMs')],
  ['proxy_read_timeout', timeout('readMs')],
  ['proxy_request_buffering', policyOf(onOff, (isOn) => (isOn ? { bufferRequest: true } : {}))],
  ['proxy_cookie_domain', cookiePair((into) => into.cookieDomain)],
  ['proxy_cookie_path', cookiePair((into) => into.cookiePath)],
  [
    'access_log',
    (into, args) => {
      if (args.join(' ') !== 'off') return false
      into.policy = { ...into.policy, accessLog: false }
      return true
    },
  ],
  ['proxy_redirect', (_, args) => args.join(' ') === 'off' || args.join(' ') === 'default'],
  ['proxy_http_version', (_, args) => args.join(' ') === '1.1'],
  ['server_tokens', (_, args) => args.join(' ') === 'off'],
  ...['proxy_buffering', 'proxy_buffers', 'proxy_buffer_size', 'proxy_busy_buffers_size', 'proxy_max_temp_file_size'].map(
    (name) => [name, nothing] as const,
  ),
  ...['client_body_buffer_size', 'large_client_header_buffers', 'rewrite_log', 'keepalive_timeout'].map(
    (name) => [name, nothing] as const,
  ),
])
