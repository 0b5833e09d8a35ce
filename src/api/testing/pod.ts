import { type Container, type ContainerPort, type Pod, type PodSpec, type PodStatus, podKind } from '../index.ts'
import { Builder, storedMetadata } from './builder.ts'

const MAIN: Container = { name: 'main', image: 'fairway/echo' }

export class PodBuilder extends Builder<Pod> {
  spec(change: Partial<PodSpec>): this {
    return this.with((object) => ({ ...object, spec: { ...object.spec, ...change } }))
  }

  status(change: Partial<PodStatus>): this {
    return this.with((object) => ({ ...object, status: { ...object.status, ...change } }))
  }

  /** Changes the first container. */
  container(change: Partial<Container>): this {
    const [first = MAIN, ...others] = this.object.spec.containers
    return this.spec({ containers: [{ ...first, ...change }, ...others] })
  }

  /** A port of the first container. */
  port(containerPort: number, name?: string, protocol: ContainerPort['protocol'] = 'TCP'): this {
    const added = { containerPort, protocol, ...(name === undefined ? {} : { name }) }
    return this.container({ ports: [...(this.object.spec.containers[0]?.ports ?? []), added] })
  }

  image(image: string): this {
    return this.container({ image })
  }

  node(nodeName: string): this {
    return this.spec({ nodeName })
  }

  /** Running and ready at these addresses, primary first. */
  ip(...ips: readonly [string, ...string[]]): this {
    return this.status({ phase: 'Running', podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }).ready()
  }

  ready(isReady = true): this {
    const status = isReady ? ('True' as const) : ('False' as const)
    const started = isReady ? { running: { startedAt: '2026-01-01T00:00:01Z' } } : { waiting: { reason: 'ContainerCreating' } }
    return this.status({
      conditions: [
        { type: 'Ready', status, lastTransitionTime: '2026-01-01T00:00:02Z' },
        { type: 'ContainersReady', status, lastTransitionTime: '2026-01-01T00:00:02Z' },
      ],
      containerStatuses: this.object.spec.containers.map(({ name, image = '' }) => ({
        name,
        image,
        imageID: image,
        ready: isReady,
        started: isReady,
        restartCount: 0,
        state: started,
      })),
    })
  }

  phase(phase: NonNullable<PodStatus['phase']>): this {
    return this.status({ phase })
  }
}

/** A pending Pod with one container; `ip` makes it run. */
export const pod = (name: string): PodBuilder =>
  new PodBuilder(podKind, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: storedMetadata(podKind, name),
    spec: { containers: [MAIN] },
    status: { phase: 'Pending' },
  })
