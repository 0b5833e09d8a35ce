import { isToken } from '../http1/fields.ts'
import type { StickyCookie } from '../table/index.ts'
import type { RequestView, StickyPolicy } from './contract.ts'
import { cookieValue } from './cookies.ts'
import { fieldValue } from './template.ts'

/** Endpoint ids are short hexadecimal texts that mean nothing outside the engine: an address in a cookie would let clients choose one. */
const ENDPOINT_ID = /^[0-9a-f]{1,64}$/

/**
 * `now` in milliseconds since the Unix epoch.
 * @throws when the cookie's name is none.
 */
export const compileSticky = (sticky: StickyCookie, now: () => number): StickyPolicy => {
  const { name, expiresSeconds } = sticky
  if (!isToken(name)) throw new Error('the name of the cookie is not a token')
  const tail = constantAttributes(sticky)
  return {
    wanted(request) {
      const value = cookieValue(request.field('cookie'), name)
      return value !== undefined && ENDPOINT_ID.test(value) ? value : undefined
    },
    cookie(id, request) {
      const expires = expiresSeconds === undefined ? '' : `; Expires=${new Date(now() + expiresSeconds * 1000).toUTCString()}`
      const secure = (sticky.secure ?? request.isSecure) ? '; Secure' : ''
      return `Set-Cookie: ${name}=${id}${expires}${tail}${secure}; HttpOnly${sameSite(sticky, request)}\r\n`
    },
  }
}

const constantAttributes = ({ maxAgeSeconds, domain, path }: StickyCookie): string =>
  (maxAgeSeconds === undefined ? '' : `; Max-Age=${maxAgeSeconds}`) +
  (domain === undefined || domain === '' ? '' : `; Domain=${attribute(domain)}`) +
  `; Path=${attribute(path === '' ? '/' : path)}`

const attribute = (text: string): string => fieldValue(text).replaceAll(';', '%3B')

const sameSite = ({ sameSite: wanted, conditionalSameSiteNone }: StickyCookie, request: RequestView): string => {
  if (wanted === undefined) return ''
  if (wanted === 'None' && conditionalSameSiteNone && rejectsNone(request.field('user-agent') ?? '')) return ''
  return `; SameSite=${wanted}`
}

const OLD_CHROME = /Chrom[^ /]{0,10}\/(?:5[1-9]|6[0-6])\./
const UC_BROWSER = /UCBrowser\/(\d{1,4})\.(\d{1,4})\.(\d{1,4})/
const IOS_12 = /\(iP[^)]{1,200}OS 12_[^)]{0,200}\) AppleWebKit\//
const MACOS_10_14 = /\(Macintosh;[^)]{0,200}Mac OS X 10_14[_)]/
const MACOS_SAFARI = /Version\/[^ ]{1,40} (?:Mobile\/[^ ]{1,40} )?Safari\//

/** The list of chromium.org/updates/same-site/incompatible-clients. */
const rejectsNone = (agent: string): boolean => {
  const uc = UC_BROWSER.exec(agent)
  if (uc !== null) return isBefore([Number(uc[1]), Number(uc[2]), Number(uc[3])], [12, 13, 2])
  if (OLD_CHROME.test(agent) || IOS_12.test(agent)) return true
  if (!MACOS_10_14.test(agent)) return false
  const isEmbedded = agent.includes('AppleWebKit/') && agent.endsWith('(KHTML, like Gecko)')
  return isEmbedded || (MACOS_SAFARI.test(agent) && !agent.includes('Chrom'))
}

const isBefore = (version: readonly number[], other: readonly number[]): boolean => {
  const at = version.findIndex((part, index) => part !== other[index])
  return at !== -1 && (version[at] as number) < (other[at] as number)
}
