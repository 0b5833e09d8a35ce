import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startTicksOf } from '../cluster/index.ts'

/** In a data folder that only `fairway start` made: which process did. */
const MARK = '.demo'

/** A data folder that goes when its demonstration ends. */
export interface Demo {
  remove(): Promise<void>
}

/**
 * Makes the folder of a demonstration: a new one, an empty one, or what a killed demonstration left. Undefined when somebody keeps objects
 * there, when another demonstration runs on it, and when it cannot be made (the start itself then says why).
 */
export const claimDemo = async (dataDir: string): Promise<Demo | undefined> => {
  const mark = join(dataDir, MARK)
  const ours = `${process.pid} ${await startTicksOf(process.pid)}\n`
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    const entries = await readdir(dataDir)
    if (entries.includes(MARK)) {
      if (await isAlive(await readFile(mark, 'utf8'))) return undefined
      await rm(mark)
    } else if (entries.length > 0) return undefined
    // Exclusive: of two that start at once, one has the folder.
    await writeFile(mark, ours, { flag: 'wx', mode: 0o600 })
  } catch {
    return undefined
  }
  return {
    remove: async () => {
      if ((await readFile(mark, 'utf8').catch(() => '')) === ours) await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** Keeps what a killed demonstration left: from now on the folder is somebody's. */
export const adoptDemo = (dataDir: string): Promise<void> => rm(join(dataDir, MARK), { force: true }).catch(() => undefined)

const isAlive = async (text: string): Promise<boolean> => {
  const [pid, ticks] = text.trim().split(' ')
  return ticks !== undefined && (await startTicksOf(Number(pid))) === ticks
}
