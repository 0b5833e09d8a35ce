import type { Container, ContainerPort, EnvVar } from './container.ts'
import type { HTTPGetAction, LifecycleHandler, Probe } from './handler.ts'
import type { PodSpec, PodTemplateSpec } from './pod-spec.ts'
import type { PodStatus } from './pod-status.ts'
import type { Pod } from './schema.ts'
import type { Volume } from './volume.ts'

const CONFIG_FILE_MODE = 0o644

export const setPodDefaults = (pod: Pod): Pod => ({
  ...pod,
  metadata: pod.metadata ?? {},
  spec: podSpecDefaults(pod.spec, { requestsFollowLimits: true }),
  ...(pod.status === undefined ? {} : { status: podStatusDefaults(pod.status) }),
})

export const podTemplateDefaults = (template: PodTemplateSpec): PodTemplateSpec => ({
  ...template,
  spec: podSpecDefaults(template.spec, { requestsFollowLimits: false }),
})

interface SpecOptions {
  /** Pods take missing requests from limits; templates leave that to their pods. */
  readonly requestsFollowLimits: boolean
}

const podSpecDefaults = (given: PodSpec | undefined, options: SpecOptions): PodSpec => {
  const spec = given ?? { containers: [] }
  const account = spec.serviceAccountName || spec.serviceAccount
  const container = (each: Container): Container => containerDefaults(each, spec.hostNetwork === true, options)
  return {
    ...spec,
    ...(spec.volumes === undefined ? {} : { volumes: spec.volumes.map(volumeDefaults) }),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(container) }),
    containers: (spec.containers ?? []).map(container),
    restartPolicy: spec.restartPolicy || 'Always',
    terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 30,
    dnsPolicy: spec.dnsPolicy || 'ClusterFirst',
    // The second name is the one from before v1.
    ...(account ? { serviceAccountName: account, serviceAccount: account } : {}),
    securityContext: spec.securityContext ?? {},
    schedulerName: spec.schedulerName || 'default-scheduler',
    enableServiceLinks: spec.enableServiceLinks ?? true,
  }
}

const containerDefaults = (container: Container, hostNetwork: boolean, options: SpecOptions): Container => ({
  ...container,
  ...(container.ports === undefined ? {} : { ports: container.ports.map((port) => portDefaults(port, hostNetwork)) }),
  ...(container.env === undefined ? {} : { env: container.env.map(envDefaults) }),
  resources: resourcesDefaults(container.resources, options),
  ...(container.livenessProbe && { livenessProbe: probeDefaults(container.livenessProbe) }),
  ...(container.readinessProbe && { readinessProbe: probeDefaults(container.readinessProbe) }),
  ...(container.startupProbe && { startupProbe: probeDefaults(container.startupProbe) }),
  ...(container.lifecycle && {
    lifecycle: {
      ...container.lifecycle,
      ...(container.lifecycle.postStart && { postStart: handlerDefaults(container.lifecycle.postStart) }),
      ...(container.lifecycle.preStop && { preStop: handlerDefaults(container.lifecycle.preStop) }),
    },
  }),
  terminationMessagePath: container.terminationMessagePath || '/dev/termination-log',
  terminationMessagePolicy: container.terminationMessagePolicy || 'File',
  imagePullPolicy: container.imagePullPolicy || (isLatest(container.image ?? '') ? 'Always' : 'IfNotPresent'),
})

/** Whether an image name has no tag, or the tag `latest`; a digest names one image for ever. */
const isLatest = (image: string): boolean => {
  if (image.includes('@')) return false
  const tag = /:([^/:]*)$/.exec(image)?.[1]
  return tag === undefined || tag === 'latest'
}

const portDefaults = (port: ContainerPort, hostNetwork: boolean): ContainerPort => ({
  ...port,
  protocol: port.protocol || 'TCP',
  ...(hostNetwork && !port.hostPort ? { hostPort: port.containerPort } : {}),
})

const envDefaults = (variable: EnvVar): EnvVar => {
  const fieldRef = variable.valueFrom?.fieldRef
  if (fieldRef === undefined || fieldRef.apiVersion) return variable
  return { ...variable, valueFrom: { ...variable.valueFrom, fieldRef: { ...fieldRef, apiVersion: 'v1' } } }
}

const resourcesDefaults = (given: Container['resources'], options: SpecOptions): NonNullable<Container['resources']> => {
  const resources = given ?? {}
  if (!options.requestsFollowLimits || resources.limits === undefined) return resources
  return { ...resources, requests: { ...resources.limits, ...resources.requests } }
}

const probeDefaults = (probe: Probe): Probe => ({
  ...probe,
  ...handlerDefaults(probe),
  timeoutSeconds: probe.timeoutSeconds || 1,
  periodSeconds: probe.periodSeconds || 10,
  successThreshold: probe.successThreshold || 1,
  failureThreshold: probe.failureThreshold || 3,
  ...(probe.grpc && { grpc: { ...probe.grpc, service: probe.grpc.service ?? '' } }),
})

const handlerDefaults = <T extends Pick<LifecycleHandler, 'httpGet'>>(handler: T): T =>
  handler.httpGet === undefined ? handler : { ...handler, httpGet: httpGetDefaults(handler.httpGet) }

const httpGetDefaults = (httpGet: HTTPGetAction): HTTPGetAction => ({
  ...httpGet,
  path: httpGet.path || '/',
  scheme: httpGet.scheme || 'HTTP',
})

const volumeDefaults = (volume: Volume): Volume => {
  // A volume without a source is an empty directory.
  if (Object.entries(volume).every(([key, value]) => key === 'name' || value === undefined)) return { ...volume, emptyDir: {} }
  const mode = <T extends { readonly defaultMode?: number }>(source: T): T => ({
    ...source,
    defaultMode: source.defaultMode ?? CONFIG_FILE_MODE,
  })
  return {
    ...volume,
    ...(volume.configMap && { configMap: mode(volume.configMap) }),
    ...(volume.secret && { secret: mode(volume.secret) }),
    ...(volume.downwardAPI && { downwardAPI: mode(volume.downwardAPI) }),
    ...(volume.projected && { projected: mode(volume.projected) }),
    ...(volume.hostPath && { hostPath: { ...volume.hostPath, type: volume.hostPath.type ?? '' } }),
  }
}

/** Old clients write the first address only, new ones all. */
const podStatusDefaults = (status: PodStatus): PodStatus => ({
  ...status,
  ...(status.podIP && !status.podIPs?.length ? { podIPs: [{ ip: status.podIP }] } : {}),
  ...(!status.podIP && status.podIPs?.[0] ? { podIP: status.podIPs[0].ip } : {}),
})
