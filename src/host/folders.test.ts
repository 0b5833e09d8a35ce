import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeFolder } from './folders.ts'

describe('a folder that is to be made', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'fairway-folder-'))
  })
  afterEach(() => rmSync(root, { recursive: true }))

  it('is private, with those above it, and may be there', () => {
    const path = join(root, 'a', 'b')
    makeFolder(path)
    makeFolder(path)
    expect([path, join(root, 'a')].map((each) => statSync(each).mode & 0o777)).toEqual([0o700, 0o700])
  })

  it.each([
    ['where a file is', () => join(root, 'file'), 'EEXIST'],
    ['below a file', () => join(root, 'file', 'a'), 'ENOTDIR'],
    ['where the kernel makes none', () => '/proc/fairway/a', 'ENOENT'],
  ])('fails %s', (_where, path, code) => {
    writeFileSync(join(root, 'file'), '')
    expect(() => makeFolder(path())).toThrow(expect.objectContaining({ code }))
  })
})
