import type { Container, Pod } from '../../api/index.ts'

/** The ConfigMaps and Secrets that a pod's containers and volumes name. */
export interface References {
  readonly configMaps: readonly string[]
  readonly secrets: readonly string[]
}

/** Pure. */
export const referencesOf = (pod: Pod): References => {
  const configMaps = new Set<string>()
  const secrets = new Set<string>()
  const add = (set: Set<string>, name: string | undefined): void => {
    if (name) set.add(name)
  }
  for (const container of allContainers(pod)) {
    for (const source of container.envFrom ?? []) {
      add(configMaps, source.configMapRef?.name)
      add(secrets, source.secretRef?.name)
    }
    for (const variable of container.env ?? []) {
      add(configMaps, variable.valueFrom?.configMapKeyRef?.name)
      add(secrets, variable.valueFrom?.secretKeyRef?.name)
    }
  }
  for (const volume of pod.spec.volumes ?? []) {
    add(configMaps, volume.configMap?.name)
    add(secrets, volume.secret?.secretName)
    for (const source of volume.projected?.sources ?? []) {
      add(configMaps, source.configMap?.name)
      add(secrets, source.secret?.name)
    }
  }
  return { configMaps: [...configMaps].sort(), secrets: [...secrets].sort() }
}

/** Init containers first. */
export const allContainers = (pod: Pod): readonly Container[] => [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
