/** One directive of nginx's language: its words, and the line on which it begins. */
export interface Statement {
  readonly words: readonly string[]
  readonly line: number
  /** It opens a block, closes one, or is not well formed: never lifted. */
  readonly isStrange: boolean
}

const LONGEST = 16_384
const TOKEN =
  /\s+|#[^\n]*|"((?:[^"\\]|\\[\s\S])*)"|'((?:[^'\\]|\\[\s\S])*)'|([;{}])|((?:[^\s;{}"'#$]|\$\{\w+\}|\$)[^\s;{}"']*(?:\$\{\w+\}[^\s;{}"']*)*)|(["'])/g
const STRANGE_ESCAPE = /\\[^"'\\]/

/** Takes a snippet apart; undefined when it is too long to look at, or a quote is not closed: what follows could be anything. */
export const statementsOf = (text: string): readonly Statement[] | undefined => {
  if (text.length > LONGEST) return undefined
  const statements: Statement[] = []
  let words: string[] = []
  let start = 1
  let line = 1
  let isStrange = false
  const end = (strange: boolean): void => {
    if (words.length > 0 || strange) statements.push({ words, line: start, isStrange: strange || isStrange })
    words = []
    isStrange = false
  }
  for (const [all, double, single, mark, bare, stray] of text.matchAll(TOKEN)) {
    if (words.length === 0) start = line
    line += all.split('\n').length - 1
    const quoted = double ?? single
    if (quoted !== undefined) {
      words.push(quoted.replace(/\\(.)/g, '$1'))
      if (STRANGE_ESCAPE.test(quoted)) isStrange = true
    } else if (bare !== undefined) words.push(bare)
    else if (mark === ';') end(false)
    else if (mark !== undefined) end(true)
    else if (stray !== undefined) return undefined
  }
  // nginx wants the last `;` too.
  end(words.length > 0)
  return statements
}
