import { mkdir, readFile, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Container, Pod, VolumeMount } from '../../api/index.ts'
import type { Image } from '../catalogue.ts'
import { resolveInRoot } from '../runtime/host-mounts.ts'
import { canLieBelow, isKernelPath, type RootfsMount, type RootfsPlan } from '../runtime/rootfs.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { etcFiles } from './etc-files.ts'
import type { NodeDns } from './pod-deps.ts'
import { mountSource } from './prepare.ts'

export interface ViewOptions {
  readonly pod: Pod
  readonly container: Container
  readonly image: Image
  readonly workingDir: string
  readonly volumes: ReadonlyMap<string, string>
  readonly folder: string
  readonly dataDir: string
  readonly address: string
  readonly dns: NodeDns
  readonly views: Runtime['views']
}

export type View =
  | { readonly kind: 'view'; readonly plan: RootfsPlan }
  /** The container shares the machine's file system. */
  | { readonly kind: 'shared' }
  | { readonly kind: 'problem'; readonly message: string }

/** A container's own view of the file system, where the runtime can give it one. Follows the links of the machine's (or image's) file system. */
export const containerView = async (options: ViewOptions): Promise<View> => {
  const { image, views, workingDir } = options
  const lower = image.root ?? '/'
  if (views === undefined) {
    return image.root === undefined
      ? { kind: 'shared' }
      : { kind: 'problem', message: `image "${image.name}" has a root folder, which needs root` }
  }
  if (!canLieBelow(lower))
    return { kind: 'problem', message: `image "${image.name}": root ${lower} must not contain "," ":" or "\\"` }
  try {
    const mounts = await Promise.all((options.container.volumeMounts ?? []).map((mount) => rootfsMount(mount, lower, options)))
    const plan = {
      folder: options.folder,
      lower,
      lowerMounts: lower === '/' ? views.lowerMounts : [],
      files: await machineEtcFiles(options),
      mounts,
      hidden: lower === '/' ? [await realpath(options.dataDir)] : [],
      workingDir: await resolveInRoot(lower, workingDir),
    }
    return { kind: 'view', plan }
  } catch (error) {
    if (error instanceof ViewProblem) return { kind: 'problem', message: error.message }
    throw error
  }
}

class ViewProblem extends Error {}

const machineEtcFiles = async ({ pod, address, dns }: ViewOptions): Promise<RootfsPlan['files']> => {
  const text = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')
  const [hostResolvConf, hostHosts] = await Promise.all([text('/etc/resolv.conf'), text('/etc/hosts')])
  return etcFiles({ pod, address, dns, hostResolvConf, hostHosts })
}

const rootfsMount = async (mount: VolumeMount, lower: string, options: ViewOptions): Promise<RootfsMount> => {
  const folder = options.volumes.get(mount.name)
  if (folder === undefined) throw new ViewProblem(`volumeMount "${mount.name}" names no volume of the pod`)
  const target = await resolveInRoot(lower, mount.mountPath)
  if (target === '/' || isKernelPath(target))
    throw new ViewProblem(`volumeMount "${mount.name}": nothing can be mounted at ${mount.mountPath}`)
  const source = await mountedSource(mount, folder)
  return { source, isFile: (await stat(source)).isFile(), target, readOnly: mount.readOnly ?? false }
}

/** The volume, or the part of it that `subPath` names, which must not lead out of it. */
const mountedSource = async (mount: VolumeMount, folder: string): Promise<string> => {
  const { subPath } = mount
  if (!subPath) return folder
  const outside = new ViewProblem(`volumeMount "${mount.name}": subPath ${JSON.stringify(subPath)} must stay within the volume`)
  if (subPath.startsWith('/') || subPath.split('/').includes('..')) throw outside
  const path = mountSource(folder, subPath)
  // As the kubelet does: a subPath that isn't there becomes a folder.
  await mkdir(path, { recursive: true, mode: 0o755 }).catch(() => {})
  const [real, base] = await Promise.all([realpath(path), realpath(folder)])
  if (real !== base && !real.startsWith(join(base, '/'))) throw outside
  return real
}
