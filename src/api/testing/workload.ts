import {
  type ContainerPort,
  type Deployment,
  type DeploymentSpec,
  deploymentKind,
  type PodTemplateSpec,
  type ReplicaSet,
  type ReplicaSetSpec,
  replicaSetKind,
} from '../index.ts'
import { Builder, storedMetadata } from './builder.ts'

const templateOf = (app: string): PodTemplateSpec => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: 'main', image: 'fairway/echo' }] },
})

const withContainer = (
  template: PodTemplateSpec,
  change: { readonly image?: string; readonly port?: ContainerPort },
): PodTemplateSpec => {
  const [first = { name: 'main' }, ...others] = template.spec.containers
  const image = change.image ?? first.image
  const ports = change.port === undefined ? first.ports : [...(first.ports ?? []), change.port]
  return { ...template, spec: { ...template.spec, containers: [{ ...first, image, ports }, ...others] } }
}

const portOf = (containerPort: number, name: string | undefined): ContainerPort => ({
  containerPort,
  protocol: 'TCP',
  ...(name === undefined ? {} : { name }),
})

export class DeploymentBuilder extends Builder<Deployment> {
  spec(change: Partial<DeploymentSpec>): this {
    return this.with((object) => ({ ...object, spec: { ...object.spec, ...change } }))
  }

  replicas(replicas: number): this {
    return this.spec({ replicas })
  }

  image(image: string): this {
    return this.spec({ template: withContainer(this.object.spec.template, { image }) })
  }

  port(containerPort: number, name?: string): this {
    return this.spec({ template: withContainer(this.object.spec.template, { port: portOf(containerPort, name) }) })
  }

  strategy(strategy: DeploymentSpec['strategy']): this {
    return this.spec({ strategy })
  }
}

/** A Deployment of one replica, whose pods have the label `app: <name>`. */
export const deployment = (name: string): DeploymentBuilder =>
  new DeploymentBuilder(deploymentKind, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { ...storedMetadata(deploymentKind, name), labels: { app: name } },
    spec: { replicas: 1, selector: { matchLabels: { app: name } }, template: templateOf(name) },
  })

export class ReplicaSetBuilder extends Builder<ReplicaSet> {
  spec(change: Partial<ReplicaSetSpec>): this {
    return this.with((object) => ({ ...object, spec: { ...object.spec, ...change } }))
  }

  replicas(replicas: number): this {
    return this.spec({ replicas })
  }
}

/** A ReplicaSet of one replica, whose pods have the label `app: <name>`. */
export const replicaSet = (name: string): ReplicaSetBuilder =>
  new ReplicaSetBuilder(replicaSetKind, {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { ...storedMetadata(replicaSetKind, name), labels: { app: name } },
    spec: { replicas: 1, selector: { matchLabels: { app: name } }, template: templateOf(name) },
  })
