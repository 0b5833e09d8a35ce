import { join } from 'node:path'
import { quote } from './launch.ts'

/**
 * A container's own view of the file system: an overlay over the machine's (or over an image's folder), whose changes go to memory and vanish
 * with the container, with the pod's files and volumes at their places. Nothing of it is visible outside the container's mount namespace.
 */
export interface RootfsPlan {
  /** An empty folder to build in. */
  readonly folder: string
  /** What lies below: `/`, or an image's root. */
  readonly lower: string
  /** Other file systems of the machine that the view shall show; each gets an overlay too. */
  readonly lowerMounts: readonly string[]
  /** Small files with their content, such as `/etc/resolv.conf`. */
  readonly files: readonly { readonly path: string; readonly content: string }[]
  readonly mounts: readonly RootfsMount[]
  /** Folders that the container shall find empty: the node's own data. */
  readonly hidden: readonly string[]
  readonly workingDir: string
}

export interface RootfsMount {
  readonly source: string
  readonly isFile: boolean
  /** Inside the container, with links resolved already. */
  readonly target: string
  readonly readOnly: boolean
}

/** Places that show the kernel: nothing can be created there. */
const KERNEL_FOLDERS = ['/dev', '/proc', '/sys']

/** Where the finished view is. */
export const rootOf = (plan: RootfsPlan): string => join(plan.folder, 'r')

/** The shell commands that build the view; to be run in a mount namespace of its own, with `set -e`. Pure. */
export const rootfsCommands = (plan: RootfsPlan): readonly string[] => {
  const own = plan.lower === '/' ? ['mount -t tmpfs -o mode=0755 fairway r/run'] : []
  const mounts = [...plan.mounts].sort((a, b) => (a.target < b.target ? -1 : 1))
  return [
    `mount -t tmpfs -o mode=0755 fairway ${quote(plan.folder)}`,
    `cd ${quote(plan.folder)}`,
    'mkdir u w r',
    ...plan.files.flatMap(({ path, content }) => writeFile(`u${path}`, content)),
    overlay(plan.lower, 'u', 'w', 'r'),
    ...plan.lowerMounts.flatMap((path, index) => [
      `mkdir u${index} w${index}`,
      // File systems that can't lie under an overlay are shown as they are.
      `${overlay(path, `u${index}`, `w${index}`, `r${path}`)} 2>/dev/null || mount --rbind ${quote(path)} ${quote(`r${path}`)}`,
    ]),
    'mkdir -p r/dev r/sys r/proc r/run',
    'mount --rbind /dev r/dev',
    'mount --rbind /sys r/sys',
    'mount -t proc proc r/proc',
    ...own,
    ...plan.hidden.map(
      (path) => `if [ -d ${quote(`r${path}`)} ]; then mount -t tmpfs -o mode=0700 fairway ${quote(`r${path}`)}; fi`,
    ),
    ...mounts.flatMap(bindMount),
    `mkdir -p ${quote(`r${plan.workingDir}`)}`,
  ]
}

/** Whether nothing can be mounted at a path, because it shows the kernel and not files. */
export const isKernelPath = (path: string): boolean =>
  KERNEL_FOLDERS.some((folder) => path === folder || path.startsWith(`${folder}/`))

/** Overlay's options know no quoting: folders with its separators are refused where they are named. */
export const canLieBelow = (path: string): boolean => !/[,:\\]/.test(path)

const overlay = (lower: string, upper: string, work: string, target: string): string =>
  `mount -t overlay -o ${quote(`lowerdir=${lower},upperdir=${upper},workdir=${work}`)} fairway ${quote(target)}`

const writeFile = (path: string, content: string): readonly string[] => [
  `mkdir -p ${quote(path.slice(0, path.lastIndexOf('/')))}`,
  `printf %s ${quote(content)} > ${quote(path)}`,
]

const bindMount = ({ source, isFile, target, readOnly }: RootfsMount): readonly string[] => {
  const place = quote(`r${target}`)
  const parent = quote(`r${target.slice(0, target.lastIndexOf('/'))}`)
  return [
    ...(isFile ? [`mkdir -p ${parent}`, `[ -e ${place} ] || : > ${place}`] : [`mkdir -p ${place}`]),
    `mount --bind ${quote(source)} ${place}`,
    ...(readOnly ? [`mount -o remount,bind,ro ${place}`] : []),
  ]
}
