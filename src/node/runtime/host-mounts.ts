import { lstat, readFile, readlink, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { canLieBelow } from './rootfs.ts'

/** File systems whose content a container may want to see; the others show the kernel, sockets or other containers. */
const FILE_SYSTEMS = /^(ext[234]|xfs|btrfs|f2fs|zfs|vfat|nfs4?|9p|virtiofs|tmpfs|fuse\.(sshfs|virtiofs))$/
const NOT_SHOWN = /^\/(dev|proc|sys|run|var\/run|var\/lib\/(docker|containerd|containers|kubelet))(\/|$)/
/** Each costs a mount for every container. */
const MAX_MOUNTS = 16

/** The mount points below `/` that a container's view of the machine shall show, parents first. */
export const hostMounts = async (): Promise<readonly string[]> => {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '')
  const points = parseMountinfo(text)
    .filter(({ point, type }) => point !== '/' && FILE_SYSTEMS.test(type) && !NOT_SHOWN.test(point) && canLieBelow(point))
    .map(({ point }) => point)
  const folders = await Promise.all([...new Set(points)].sort().map(async (point) => ((await isFolder(point)) ? [point] : [])))
  return folders.flat().slice(0, MAX_MOUNTS)
}

/** proc(5): fields are separated by spaces, special characters octal; the type follows the dash. Pure. */
export const parseMountinfo = (text: string): readonly { readonly point: string; readonly type: string }[] =>
  text.split('\n').flatMap((line) => {
    const [head = '', tail = ''] = line.split(' - ')
    const point = head.split(' ')[4]
    const [type] = tail.split(' ')
    if (point === undefined || type === undefined || type === '') return []
    return [{ point: point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))), type }]
  })

const isFolder = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    return false
  }
}

const MAX_LINKS = 40

/** The path that `path` means for a process whose root is `root`: links are followed within it. What does not exist stays as it is. */
export const resolveInRoot = async (root: string, path: string): Promise<string> => {
  let rest = path.split('/').filter((part) => part !== '' && part !== '.')
  let resolved = ''
  for (let links = 0; rest.length > 0; ) {
    const [next = '', ...after] = rest
    rest = after
    if (next === '..') {
      resolved = resolved.slice(0, Math.max(0, resolved.lastIndexOf('/')))
      continue
    }
    const candidate = `${resolved}/${next}`
    const link = await linkTarget(join(root, candidate))
    if (link === undefined) resolved = candidate
    else {
      if (++links > MAX_LINKS) throw new Error(`too many symbolic links in ${path}`)
      if (link.startsWith('/')) resolved = ''
      rest = [...link.split('/').filter((part) => part !== '' && part !== '.'), ...rest]
    }
  }
  return resolved === '' ? '/' : resolved
}

const linkTarget = async (path: string): Promise<string | undefined> => {
  try {
    return (await lstat(path)).isSymbolicLink() ? await readlink(path) : undefined
  } catch {
    return undefined
  }
}
