import { dns1123LabelErrors } from '../../meta/names.ts'
import type { Problems } from '../../problems.ts'
import type { VolumeMount } from './container.ts'
import type { Volume } from './volume.ts'

/** Reports volumes without a name or a source, or with several. What a source holds is not interpreted. */
export const validateVolumes = (problems: Problems, path: string, volumes: readonly Volume[]): void => {
  const names = new Set<string>()
  for (const [index, volume] of volumes.entries()) {
    const at = `${path}[${index}]`
    if (!volume.name) problems.required(`${at}.name`)
    else {
      problems.invalidEach(`${at}.name`, volume.name, dns1123LabelErrors(volume.name))
      if (names.has(volume.name)) problems.duplicate(`${at}.name`, volume.name)
      names.add(volume.name)
    }
    const sources = Object.entries(volume).filter(([key, value]) => key !== 'name' && value !== undefined && value !== null)
    const [first, ...others] = sources
    if (first === undefined) problems.required(at, 'must specify a volume type')
    for (const [source] of others) problems.forbidden(`${at}.${source}`, 'may not specify more than 1 volume type')
    if (volume.configMap !== undefined && !volume.configMap.name) problems.required(`${at}.configMap.name`)
    if (volume.secret !== undefined && !volume.secret.secretName) problems.required(`${at}.secret.secretName`)
    if (volume.hostPath !== undefined && !volume.hostPath.path) problems.required(`${at}.hostPath.path`)
  }
}

/** Reports mounts of volumes that the pod does not have, and two mounts at one place. */
export const validateVolumeMounts = (
  problems: Problems,
  path: string,
  { mounts, volumes }: { readonly mounts: readonly VolumeMount[]; readonly volumes: ReadonlySet<string> },
): void => {
  const paths = new Set<string>()
  for (const [index, mount] of mounts.entries()) {
    const at = `${path}[${index}]`
    if (!mount.name) problems.required(`${at}.name`)
    else if (!volumes.has(mount.name)) problems.notFound(`${at}.name`, mount.name)
    if (!mount.mountPath) problems.required(`${at}.mountPath`)
    else if (paths.has(mount.mountPath)) problems.invalid(`${at}.mountPath`, mount.mountPath, 'must be unique')
    paths.add(mount.mountPath)
  }
}
