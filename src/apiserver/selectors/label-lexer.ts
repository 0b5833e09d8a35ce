/** One token of a label selector; `word` is a key, a value, or one of the words `in` and `notin`. */
export interface Token {
  readonly kind: 'word' | 'symbol' | 'end'
  readonly text: string
}

const symbols = new Set('=!(),><')
const twoCharacterSymbols = new Set(['==', '!='])

/** Splits a label selector into tokens; the last is the end. Linear. */
export const labelTokens = (text: string): readonly Token[] => {
  const tokens: Token[] = []
  let at = 0
  while (at < text.length) {
    const character = text.charAt(at)
    if (isSpace(character)) {
      at++
    } else if (symbols.has(character)) {
      const pair = text.slice(at, at + 2)
      const symbol = twoCharacterSymbols.has(pair) ? pair : character
      tokens.push({ kind: 'symbol', text: symbol })
      at += symbol.length
    } else {
      const start = at
      while (at < text.length && !symbols.has(text.charAt(at)) && !isSpace(text.charAt(at))) at++
      tokens.push({ kind: 'word', text: text.slice(start, at) })
    }
  }
  tokens.push({ kind: 'end', text: '' })
  return tokens
}

const isSpace = (character: string): boolean =>
  character === ' ' || character === '\t' || character === '\r' || character === '\n'
