import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errorCode } from '../base/index.ts'

/** Files as components need them. Paths are absolute. */
export interface Files {
  /** The text of a file; undefined when there is none. */
  read(path: string): Promise<string | undefined>
  /** Replaces a file as a whole, so that a reader sees the old or the new text; creates its folder. Private (0600) unless told. */
  write(path: string, content: string | Uint8Array, mode?: number): Promise<void>
  /** The names in a folder, sorted; none when there is no such folder. */
  list(path: string): Promise<readonly string[]>
  makeFolder(path: string, mode?: number): Promise<void>
  /** Removes a file or a whole folder; nothing happens when there is none. */
  remove(path: string): Promise<void>
}

/** {@link Files} on this machine. */
export const realFiles: Files = {
  async read(path) {
    try {
      return await readFile(path, 'utf8')
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  },
  async write(path, content, mode = 0o600) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`
    try {
      const handle = await open(temporary, 'wx', mode)
      try {
        // The mode of open is cut by the umask.
        await handle.chmod(mode)
        await handle.writeFile(content)
      } finally {
        await handle.close()
      }
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  },
  async list(path) {
    try {
      return (await readdir(path)).sort()
    } catch (error) {
      if (isMissing(error)) return []
      throw error
    }
  },
  async makeFolder(path, mode = 0o700) {
    await mkdir(path, { recursive: true, mode })
  },
  async remove(path) {
    await rm(path, { recursive: true, force: true })
  },
}

const isMissing = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')
