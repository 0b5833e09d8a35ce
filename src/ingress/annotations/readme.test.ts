import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { annotationTable, FAIRWAY_PREFIX, NGINX_PREFIX } from './table.ts'

it('the README names every annotation, and what becomes of it', async () => {
  const readme = await readFile(new URL('./README.md', import.meta.url), 'utf8')
  const rows = [...annotationTable].map(([name, { treatment, note = '', guard }]) => {
    const shown = name.startsWith(FAIRWAY_PREFIX) ? name : name.slice(NGINX_PREFIX.length)
    return `| \`${shown}\` | ${treatment}${guard === undefined ? '' : ', guards'} | ${note.replaceAll('|', '\\|')} |`
  })
  expect(rows.filter((row) => !readme.includes(`${row}\n`))).toEqual([])
})
