import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { parseManifests, readManifests } from './read.ts'

const parse = (text: string): readonly unknown[] => parseManifests(text, 'f.yaml').map((manifest) => manifest.object)

describe('parseManifests', () => {
  it('reads several documents and takes Lists apart', () => {
    const text =
      'apiVersion: v1\nkind: A\n---\n# nothing\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: B}\n- {apiVersion: v1, kind: C}\n'
    expect(parse(text)).toMatchObject([{ kind: 'A' }, { kind: 'B' }, { kind: 'C' }])
  })

  it.each([
    ['yes', true],
    ['off', false],
    ['12:30', '12:30'],
    ['2001-01-01', '2001-01-01'],
    ['"yes"', 'yes'],
    ['0x10', 16],
  ])('reads %s as kubectl does', (text, expected) => {
    expect(parse(`{apiVersion: v1, kind: A, x: ${text}}`)).toMatchObject([{ x: expected }])
  })

  it.each([
    ['apiVersion: v1\nkind: [', /^f\.yaml:\d+:\d+: not valid YAML/],
    ['apiVersion: v1\nkind: A\nkind: B', /^f\.yaml:3:1: not valid YAML: Map keys must be unique/],
    ['- a', /^f\.yaml:1: a manifest must be an object, found a list/],
    ['\n\nkind: A', /^f\.yaml:3: apiVersion is missing/],
    ['apiVersion: v1', /^f\.yaml:1: kind is missing/],
    [
      `a: &a [x,x]\n${Array.from(
        { length: 26 },
        (_, i) =>
          `${String.fromCharCode(98 + i)}: &${String.fromCharCode(98 + i)} [*${String.fromCharCode(97 + i)},*${String.fromCharCode(97 + i)}]`,
      )
        .slice(0, 24)
        .join('\n')}`,
      /not valid YAML: Excessive alias count/,
    ],
  ])('says where it is wrong: %j', (text, message) => {
    expect(() => parse(text)).toThrow(message)
  })

  it('keeps __proto__ a plain key that reaches no prototype', () => {
    const [object] = parse('{apiVersion: v1, kind: A, __proto__: {polluted: true}}')
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    expect((object as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})

describe('readManifests', () => {
  let folder: string | undefined
  afterEach(async () => {
    if (folder) await rm(folder, { recursive: true })
    folder = undefined
  })

  it('reads a folder in name order, and leaves other files alone', async () => {
    folder = await mkdtemp(join(tmpdir(), 'fairway-manifests-'))
    await writeFile(join(folder, '2.yml'), 'apiVersion: v1\nkind: B')
    await writeFile(join(folder, '1.yaml'), 'apiVersion: v1\nkind: A')
    await writeFile(join(folder, 'README.md'), 'not: [yaml')
    expect((await readManifests([folder])).map((m) => m.object['kind'])).toEqual(['A', 'B'])
  })

  it('names the path that is not there', async () => {
    await expect(readManifests(['/nonexistent/x.yaml'])).rejects.toThrow('the path "/nonexistent/x.yaml" does not exist')
  })
})
