import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkWalls } from '../../scripts/walls.ts'

describe('the walls', () => {
  it('stand, and the tool that guards them sees the house', async () => {
    const { modules, breaches } = await checkWalls()
    expect(breaches).toEqual([])
    expect(modules).toBeGreaterThan(100)
  }, 120_000)

  describe('in a tree with planted breaches', () => {
    let folder: string
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'fairway-walls-'))
    })
    afterAll(() => rm(folder, { recursive: true }))

    const plant = async (files: Readonly<Record<string, string>>): Promise<void> => {
      for (const [path, text] of Object.entries(files)) {
        await mkdir(dirname(join(folder, path)), { recursive: true })
        await writeFile(join(folder, path), text)
      }
    }

    it.each([
      ['upwards', { 'src/api/a.ts': "import '../proxy/index.ts'", 'src/proxy/index.ts': 'export {}' }, 'layers-api'],
      ['to a sibling', { 'src/dns/a.ts': "import '../ingress/index.ts'", 'src/ingress/index.ts': 'export {}' }, 'layers-dns'],
      ['past an index', { 'src/proxy/b.ts': "import '../base/clock.ts'", 'src/base/clock.ts': 'export {}' }, 'enter-by-index'],
      ['from a pure file to I/O', { 'src/proxy/desired.ts': "import 'node:fs'" }, 'pure-has-no-io'],
      ['in a circle', { 'src/base/x.ts': "import './y.ts'", 'src/base/y.ts': "import './x.ts'" }, 'no-cycles'],
    ])('find an import %s', async (_what, files, rule) => {
      await plant(files)
      const { breaches } = await checkWalls(folder)
      expect(breaches.some((breach) => breach.startsWith(`${rule}: `))).toBe(true)
    })
  })
})
