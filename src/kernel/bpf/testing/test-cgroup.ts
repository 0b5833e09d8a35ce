import { mkdir, mkdtemp, readFile, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { realExec } from '../../../host/index.ts'

/** A cgroup of the v2 tree for one test: what is attached to it concerns only the processes that the test puts there. */
export interface TestCgroup {
  readonly folder: string
  add(pid: number): Promise<void>
  /** Puts the processes that are left back to the root, and removes all that was made. */
  close(): Promise<void>
}

/** Makes it through a mount of its own; needs root. */
export const openTestCgroup = async (): Promise<TestCgroup> => {
  const mount = await mkdtemp(join(tmpdir(), 'fairway-cgroup-'))
  await realExec(['mount', '-t', 'cgroup2', 'none', mount])
  const folder = join(mount, `fairway-test-${process.pid}-${mount.slice(-6)}`)
  await mkdir(folder)
  return {
    folder,
    add: (pid) => writeFile(join(folder, 'cgroup.procs'), String(pid)),
    async close() {
      const left = (await readFile(join(folder, 'cgroup.procs'), 'utf8')).split('\n').filter((pid) => pid !== '')
      // One that ends meanwhile is no failure.
      for (const pid of left) await writeFile(join(mount, 'cgroup.procs'), pid).catch(() => {})
      await rmdir(folder)
      await realExec(['umount', mount])
      await rmdir(mount)
    },
  }
}
