import type { RoutePolicy } from '../../../l7/table/index.ts'
import { differs, type ValuesOf } from '../annotation.ts'
import { pairOrOff } from '../grammar/pairs.ts'
import { is, isNot, type Parser } from '../grammar/reading.ts'

/** `off`, `default`, or a plain text. */
const plain: Parser<string> = (text) =>
  /^[!#%&(-[\]-_a-~]{1,255}$/.test(text) && !text.startsWith('~')
    ? is(text)
    : isNot('off, default or a plain text (no pattern, no variable)')

const PLAIN = 'plain texts only, no patterns and variables'

export const cookieAnnotations = {
  'proxy-cookie-domain': differs(pairOrOff, PLAIN),
  'proxy-cookie-path': differs(pairOrOff, PLAIN),
  'proxy-redirect-from': differs(plain, PLAIN),
  'proxy-redirect-to': differs(plain, PLAIN),
} as const

type Values = ValuesOf<typeof cookieAnnotations>

/** What pods say of their own domain, path and address, as clients must see it. */
export const outwardNames = (values: Values): RoutePolicy => {
  const domain = values['proxy-cookie-domain']
  const path = values['proxy-cookie-path']
  const from = values['proxy-redirect-from']
  const to = values['proxy-redirect-to']
  const isPair = from !== undefined && to !== undefined && ![from, to].some((text) => text === 'off' || text === 'default')
  return {
    ...((domain?.length || path?.length) && {
      cookieRewrite: { ...(domain?.length && { domain }), ...(path?.length && { path }) },
    }),
    ...(isPair && { locationRewrite: { from, to } }),
  }
}
