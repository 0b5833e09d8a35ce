import { dirname } from 'node:path'
import type { Container, Pod, Service } from '../../api/index.ts'
import { errorMessage } from '../../base/index.ts'
import type { Image, ImageCatalogue } from '../catalogue.ts'
import { SYSTEM_PATH } from '../runtime/runtime.ts'
import { containerEnv, type EnvSources } from './env.ts'
import { expand } from './expand.ts'

/** Everything that a container's process is started from. */
export type Preparation =
  | {
      readonly kind: 'ready'
      readonly argv: readonly string[]
      readonly env: ReadonlyMap<string, string>
      readonly workingDir: string
      readonly image: Image
    }
  | { readonly kind: 'waiting'; readonly cause: 'image' | 'config'; readonly message: string }

export interface PrepareOptions extends Pick<EnvSources, 'configMaps' | 'secrets' | 'machine' | 'context'> {
  readonly pod: Pod
  readonly container: Container
  readonly catalogue: ImageCatalogue
  readonly services: readonly Service[]
  /** Volume name to the folder that holds it. */
  readonly volumes: ReadonlyMap<string, string>
  /** The container sees its volumes at their mount paths. */
  readonly mounted: boolean
  readonly dns: { readonly address: string; readonly port: number }
}

/** Finds the image and puts environment and command line together. */
export const prepareContainer = async (options: PrepareOptions): Promise<Preparation> => {
  const { container, catalogue } = options
  const image = await findImage(container.image ?? '', catalogue)
  if (typeof image === 'string') return { kind: 'waiting', cause: 'image', message: image }
  const result = containerEnv({ ...options, base: baseVariables(options, image) })
  if (result.kind === 'problem') return { kind: 'waiting', cause: 'config', message: result.message }
  const { env } = result
  const argv = commandLine(container, image).map((word) => expand(word, env))
  if (argv.length === 0)
    return { kind: 'waiting', cause: 'config', message: `image "${image.name}" has no command; give the container one` }
  return { kind: 'ready', argv, env, workingDir: container.workingDir || image.workingDir || '/', image }
}

const findImage = async (name: string, catalogue: ImageCatalogue): Promise<Image | string> => {
  try {
    const image = await catalogue.find(name)
    if (image) return image
    const names = await catalogue.names()
    return `image "${name}" is not in the catalogue of this node; it has: ${names.join(', ')}`
  } catch (error) {
    return errorMessage(error)
  }
}

/** `command` replaces the image's entrypoint and its arguments, `args` only the arguments. */
const commandLine = (container: Container, image: Image): readonly string[] => {
  const { command = [], args = [] } = container
  if (command.length > 0) return [...command, ...args]
  return [...image.entrypoint, ...(args.length > 0 ? args : image.args)]
}

/** What every container gets, before anything that its pod says. */
const baseVariables = (options: PrepareOptions, image: Image): ReadonlyMap<string, string> => {
  const { pod, container, context, dns } = options
  const node = dirname(process.execPath)
  return new Map([
    ['PATH', SYSTEM_PATH.split(':').includes(node) ? SYSTEM_PATH : `${SYSTEM_PATH}:${node}`],
    ['HOME', process.env['HOME'] ?? '/'],
    ['HOSTNAME', hostnameOf(pod)],
    ['POD_NAME', pod.metadata.name],
    ['POD_NAMESPACE', pod.metadata.namespace ?? ''],
    ['POD_IP', context.podIP],
    ['NODE_NAME', pod.spec.nodeName ?? ''],
    ['FAIRWAY_POD_UID', pod.metadata.uid ?? ''],
    ['FAIRWAY_DNS', `${dns.address.includes(':') ? `[${dns.address}]` : dns.address}:${dns.port}`],
    ['FAIRWAY_PORTS', declaredPorts(container)],
    ...mountVariables(options),
    ...Object.entries(image.env),
  ])
}

/** The pod's host name: its own choice, or its name. */
export const hostnameOf = (pod: Pod): string => (pod.spec.hostname || pod.metadata.name).slice(0, MAX_HOSTNAME)

const MAX_HOSTNAME = 63

const declaredPorts = (container: Container): string =>
  (container.ports ?? [])
    .map(({ containerPort, protocol, name }) => `${containerPort}/${protocol ?? 'TCP'}/${name ?? ''}`)
    .join(',')

/** Where each mounted volume is for the process: `FAIRWAY_MOUNTS` lists all, `FAIRWAY_MOUNT_<VOLUME>` is one. */
const mountVariables = ({ container, volumes, mounted }: PrepareOptions): readonly (readonly [string, string])[] => {
  const mounts = (container.volumeMounts ?? []).flatMap((mount) => {
    const folder = volumes.get(mount.name)
    if (folder === undefined) return []
    const place = mounted ? mount.mountPath : mountSource(folder, mount.subPath)
    return [{ ...mount, place }]
  })
  return [
    ['FAIRWAY_MOUNTS', mounts.map(({ mountPath, place }) => `${mountPath}=${place}`).join('\n')],
    ...mounts.map(({ name, place }): [string, string] => [
      `FAIRWAY_MOUNT_${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`,
      place,
    ]),
  ]
}

/** The file or folder of a volume that a mount shows. */
export const mountSource = (folder: string, subPath: string | undefined): string => (subPath ? `${folder}/${subPath}` : folder)
