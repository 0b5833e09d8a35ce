import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Files } from '../../host/index.ts'
import type { VolumePlan } from './volumes.ts'

/** Brings a volume's folder in line with its plan; files that are right already are not touched. Returns the folder to mount. */
export const applyVolume = async (
  files: Files,
  folder: string,
  plan: Exclude<VolumePlan, { kind: 'problem' }>,
): Promise<string> => {
  if (plan.kind === 'host') return plan.path
  // Containers may run as another user than the node.
  await files.makeFolder(folder, plan.kind === 'empty' ? 0o777 : 0o755)
  if (plan.kind === 'empty') return folder
  const wanted = new Set(plan.files.map(({ path }) => path))
  for (const path of await filesIn(folder)) if (!wanted.has(path)) await files.remove(join(folder, path))
  for (const file of plan.files) {
    const path = join(folder, file.path)
    if (await isSame(files, path, file.content)) continue
    await files.makeFolder(join(path, '..'), 0o755)
    await files.write(path, file.content, file.mode)
  }
  return folder
}

const isSame = async (files: Files, path: string, content: Buffer): Promise<boolean> =>
  (await files.read(path)) === content.toString('utf8')

const filesIn = async (folder: string, prefix = ''): Promise<readonly string[]> => {
  const names = await readdir(join(folder, prefix)).catch((): string[] => [])
  const nested = await Promise.all(
    names.map(async (name) => {
      const path = prefix === '' ? name : `${prefix}/${name}`
      return (await lstat(join(folder, path))).isDirectory() ? filesIn(folder, path) : [path]
    }),
  )
  return nested.flat()
}
