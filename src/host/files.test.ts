import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { realFiles } from './files.ts'

describe('realFiles', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fairway-files-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('writes private files and their folders, and leaves no temporary file', async () => {
    const path = join(folder, 'a/b')
    await realFiles.write(path, 'one')
    await realFiles.write(path, 'two')
    expect(await realFiles.read(path)).toBe('two')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(join(folder, 'a'))).toEqual(['b'])
  })

  it('knows missing files and folders from broken ones', async () => {
    expect(await realFiles.read(join(folder, 'none'))).toBeUndefined()
    expect(await realFiles.list(join(folder, 'none'))).toEqual([])
    await expect(realFiles.read(folder)).rejects.toMatchObject({ code: 'EISDIR' })
    await realFiles.remove(join(folder, 'none'))
  })
})
