import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { ANNOTATIONS } from './annotations/index.ts'

it('the README has every annotation, with what becomes of it', () => {
  const rows = Object.values(ANNOTATIONS).map(({ key, treatment, note, ...rest }) => {
    const blocks = 'blocks' in rest ? (rest.blocks === 'all' ? ' ‡' : ' †') : ''
    return `| \`${key}\`${blocks} | ${treatment.replaceAll('-', ' ')} | ${note} |`
  })
  const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8')
  expect(readme).toContain(['| annotation | | |', '|---|---|---|', ...rows].join('\n'))
})
