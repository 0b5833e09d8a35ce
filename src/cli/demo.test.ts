import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { adoptDemo, claimDemo } from './demo.ts'

const folders: string[] = []
const folder = async (): Promise<string> => {
  const made = await mkdtemp(join(tmpdir(), 'fairway-demo-'))
  folders.push(made)
  return made
}
afterEach(async () => {
  for (const made of folders.splice(0)) await rm(made, { recursive: true, force: true })
})

describe('the folder of a demonstration', () => {
  it('goes with it when it was new', async () => {
    const dataDir = join(await folder(), 'new')
    const demo = await claimDemo(dataDir)
    await writeFile(join(dataDir, 'kubeconfig'), '')
    await demo?.remove()
    await expect(readdir(dataDir)).rejects.toThrow('ENOENT')
  })

  it('stays when somebody keeps objects there', async () => {
    const dataDir = await folder()
    await writeFile(join(dataDir, 'kubeconfig'), '')
    expect(await claimDemo(dataDir)).toBeUndefined()
    expect(await readdir(dataDir)).toEqual(['kubeconfig'])
  })

  it('is not claimed a second time while the first one runs', async () => {
    const dataDir = await folder()
    const demo = await claimDemo(dataDir)
    expect(await claimDemo(dataDir)).toBeUndefined()
    expect(demo).toBeDefined()
  })

  it('is claimed again after a demonstration that was killed', async () => {
    const dataDir = await folder()
    await writeFile(join(dataDir, '.demo'), '4194305 1\n')
    expect(await claimDemo(dataDir)).toBeDefined()
  })

  it('stays for good once an instance of the user has run on it', async () => {
    const dataDir = await folder()
    const demo = await claimDemo(dataDir)
    await adoptDemo(dataDir)
    await demo?.remove()
    expect(await readdir(dataDir)).toEqual([])
  })

  it("is nobody's where it cannot be made", async () => {
    const file = join(await folder(), 'file')
    await writeFile(file, '')
    expect(await claimDemo(file)).toBeUndefined()
  })
})
