import type { TextPair } from '../../../l7/table/index.ts'
import { is, isNot, type Parser } from './reading.ts'

const PIECE = /^[!#-[\]-~]{1,255}$/

/** `off`, or `from to` as nginx's proxy_cookie_domain and proxy_cookie_path take them; patterns (`~`) are refused. */
export const pairOrOff: Parser<readonly TextPair[]> = (text) => {
  if (text === 'off') return is([])
  const [from, to, ...others] = text.split(/ +/)
  if (from === undefined || to === undefined || others.length > 0) return isNot('off, or two texts with a blank between them')
  const isPlain = PIECE.test(from) && PIECE.test(to) && !from.startsWith('~') && !`${from}${to}`.includes('$')
  return isPlain ? is([{ from, to }]) : isNot('off, or two plain texts (no ~ pattern, no variable, no quote)')
}
