import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { errorMessage } from '../../src/base/index.ts'
import { findOnPath, realExec } from '../../src/host/index.ts'

/** Debian's kernel, unpacked in this user's cache. */
export interface GuestKernel {
  readonly version: string
  readonly image: string
  /** The root below which `lib/modules/<version>` lies. */
  readonly modulesRoot: string
}

/** Debian's package of each tool that the machine is made with. */
const TOOLS: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  busybox: 'busybox-static',
  cpio: 'cpio',
  depmod: 'kmod',
  modprobe: 'kmod',
  'apt-get': 'apt',
  'dpkg-deb': 'dpkg',
}

/** Parts of the package that a guest without disks or screens needs; the whole is five times as large. */
const PARTS = [
  './boot/vmlinuz-*',
  './lib/modules/*/modules.*',
  ...['net', 'lib', 'crypto', 'arch', 'fs', 'drivers/net', 'drivers/virtio', 'drivers/char'].map(
    (folder) => `./lib/modules/*/kernel/${folder}/*`,
  ),
]

/**
 * The kernel of a Debian machine, downloaded once with `apt-get download` and kept in the user's cache folder; never installed.
 * Gives the reason, with what to do, where that cannot be had.
 */
export const guestKernel = async (): Promise<GuestKernel | { readonly missing: string }> => {
  if (process.arch !== 'x64') return { missing: `the virtual machine is made for x64, this is ${process.arch}` }
  const absent = Object.keys(TOOLS).filter((tool) => findOnPath(tool) === undefined)
  if (absent.length > 0) {
    const packages = [...new Set(absent.map((tool) => TOOLS[tool]))].join(' ')
    return { missing: `not found: ${absent.join(', ')}; apt-get install ${packages}` }
  }
  try {
    const packageName = await kernelPackage()
    const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'fairway-vm', packageName)
    if (!existsSync(folder)) await fetchInto(folder, packageName)
    return await kernelIn(folder)
  } catch (error) {
    return { missing: `Debian's kernel cannot be fetched (try apt-get update): ${errorMessage(error)}` }
  }
}

const kernelPackage = async (): Promise<string> => {
  const { stdout } = await realExec(['apt-cache', 'depends', 'linux-image-amd64'])
  const name = /Depends: (linux-image-[\w.+-]+)/.exec(stdout)?.[1]
  if (name === undefined) throw new Error('apt knows no linux-image-amd64')
  return name
}

/** Whole or not at all: another run may do the same at the same time, or be killed. */
const fetchInto = async (folder: string, packageName: string): Promise<void> => {
  await mkdir(join(folder, '..'), { recursive: true })
  const work = await mkdtemp(`${folder}.new-`)
  try {
    await realExec(['apt-get', '-o', 'APT::Sandbox::User=root', 'download', packageName], { cwd: work, timeoutMs: 180_000 })
    const [archive] = (await readdir(work)).filter((name) => name.endsWith('.deb'))
    if (archive === undefined) throw new Error(`apt-get downloaded no ${packageName}`)
    const unpack = 'dpkg-deb --fsys-tarfile "$0" | tar -x --wildcards -- "$@"'
    await realExec(['sh', '-ec', unpack, archive, ...PARTS], { cwd: work, timeoutMs: 120_000 })
    await rm(join(work, archive))
    const [version = ''] = await readdir(join(work, 'lib/modules'))
    await realExec(['depmod', '--basedir', work, version], { timeoutMs: 120_000 })
    await rename(work, folder).catch(async (error: unknown) => {
      if (!(await stat(folder)).isDirectory()) throw error
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

const kernelIn = async (folder: string): Promise<GuestKernel> => {
  const [version = ''] = await readdir(join(folder, 'lib/modules'))
  return { version, image: join(folder, 'boot', `vmlinuz-${version}`), modulesRoot: folder }
}
