import { randomUUID } from 'node:crypto'
import type { Service } from '../../../../api/index.ts'
import { realClock, silentLogger, sleep } from '../../../../base/index.ts'
import { isLoadBalancerError } from '../../../errors.ts'
import type {
  Claim,
  DesiredLoadBalancer,
  Outcome,
  Owner,
  Placement,
  Provider,
  ServiceOutcome,
  TargetNode,
} from '../../../provider.ts'
import type { CloudApi } from '../client/index.ts'
import { createTencentProvider, type TencentOptions } from '../provider.ts'
import { type TestObjects, testObjects } from './objects.ts'
import { type AnnotationTexts, annotated, node } from './owners.ts'

/** The controller's part, small: keeps what is stored on Services, and repeats calls while the provider asks for it. */
export interface Rig {
  readonly objects: TestObjects
  readonly provider: Provider
  nodes: readonly TargetNode[]
  put(owner: Owner): void
  get(name: string): Owner
  has(name: string): boolean
  edit(name: string, change: Partial<Owner>): void
  /** Sets annotations by the names of the table; undefined takes one away. */
  annotate(name: string, texts: { readonly [K in keyof AnnotationTexts]: string | undefined }): void
  /** Deleted, or no LoadBalancer any more; forgotten when it is released. */
  leave(name: string): void
  claim(name: string): Claim
  /** Until the provider asks for nothing more. Rejects as the provider does, but for `gone`. */
  settle(name: string, look?: 'full' | 'changed'): Promise<ServiceOutcome>
  /** Every load balancer, in a full look. */
  settleAll(signal?: AbortSignal): Promise<void>
  /** A new process over the same cloud and the same Services. */
  restart(api?: CloudApi): void
  readonly repaired: string[]
  /** Times that a load balancer was found gone. */
  readonly lives: number
}

export const CLUSTER = 'cls-test'
const MAX_ROUNDS = 60
const LONG_MS = 1_000

export const createRig = (cloud: { readonly api: CloudApi }, options: Partial<TencentOptions> = {}): Rig =>
  new TestRig(cloud, options)

class TestRig implements Rig {
  readonly objects = testObjects()
  readonly repaired: string[] = []
  nodes: readonly TargetNode[] = [node('n1', { addresses: ['127.0.0.1'] })]
  provider: Provider
  lives = 0
  readonly #cloud: { readonly api: CloudApi }
  readonly #options: Partial<TencentOptions>
  readonly #owners = new Map<string, Owner>()
  readonly #placements = new Map<string, Placement>()
  readonly #tokens = new Map<string, string>()

  constructor(cloud: { readonly api: CloudApi }, options: Partial<TencentOptions>) {
    this.#cloud = cloud
    this.#options = options
    this.provider = this.#open(cloud.api)
  }

  #open(api: CloudApi): Provider {
    const common = {
      clusterId: CLUSTER,
      nodeTargets: 'address',
      drainMs: 10,
      loadBalancerClass: 'x/y',
      servesNoClass: true,
    } as const
    return createTencentProvider(
      { ...common, ...this.#options },
      { api, objects: this.objects, clock: realClock, log: silentLogger },
    )
  }

  restart(api: CloudApi = this.#cloud.api): void {
    this.provider = this.#open(api)
  }

  put(owner: Owner): void {
    this.#owners.set(owner.name, owner)
  }

  has(name: string): boolean {
    return this.#owners.has(name)
  }

  get(name: string): Owner {
    const owner = this.#owners.get(name)
    if (owner === undefined) throw new Error(`no Service ${name}`)
    return owner
  }

  edit(name: string, change: Partial<Owner>): void {
    this.#owners.set(name, { ...this.get(name), ...change })
  }

  annotate(name: string, texts: Parameters<Rig['annotate']>[1]): void {
    const keys = annotated(Object.fromEntries(Object.keys(texts).map((each) => [each, each])) as AnnotationTexts)
    this.#changeAnnotations(
      name,
      Object.fromEntries(Object.entries(keys).map(([key, each]) => [key, texts[each as keyof AnnotationTexts]])),
    )
  }

  leave(name: string): void {
    this.edit(name, { state: 'leaving' })
  }

  claim(name: string): Claim {
    return this.provider.claim(serviceOf(this.get(name)), this.#placements.get(name))
  }

  async settle(name: string, look: 'full' | 'changed' = 'changed'): Promise<ServiceOutcome> {
    const placed = this.#place(name)
    if (placed === undefined) throw new Error(`${name} is refused`)
    const { uid } = this.get(name)
    const outcome = await this.#settleKey(placed.key, look, new AbortController().signal)
    const own = outcome.services.get(uid)
    if (own === undefined) throw new Error(`no answer for ${name}`)
    return own
  }

  async settleAll(signal: AbortSignal = new AbortController().signal): Promise<void> {
    for (const name of [...this.#owners.keys()])
      if (this.#place(name) === undefined && this.get(name).state === 'leaving') this.#owners.delete(name)
    for (const key of new Set([...this.#placements.values()].map((each) => each.key))) await this.#settleKey(key, 'full', signal)
  }

  #changeAnnotations(name: string, changes: Readonly<Record<string, string | null | undefined>>): void {
    const merged = Object.entries({ ...this.get(name).annotations, ...changes }).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    )
    this.edit(name, { annotations: Object.fromEntries(merged) })
  }

  /** As the controller does before a call. */
  #place(name: string): Placement | undefined {
    const claimed = this.get(name).state === 'leaving' ? undefined : this.claim(name)
    if (claimed?.kind === 'ours' && claimed.key !== this.#placements.get(name)?.key) {
      const token = this.#tokens.get(claimed.key) ?? this.#freshToken()
      this.#tokens.set(claimed.key, token)
      this.#placements.set(name, { provider: this.provider.name, key: claimed.key, token })
    }
    return this.#placements.get(name)
  }

  #freshToken(): string {
    return randomUUID()
  }

  #desired(key: string): DesiredLoadBalancer {
    const owners = [...this.#owners.values()].filter(({ name }) => this.#placements.get(name)?.key === key)
    return {
      key,
      token: this.#tokens.get(key) ?? '',
      clusterId: CLUSTER,
      owners: owners.sort((a, b) => (`${a.createdAt} ${a.name}` < `${b.createdAt} ${b.name}` ? -1 : 1)),
      nodes: this.nodes,
    }
  }

  async #settleKey(key: string, look: 'full' | 'changed', signal: AbortSignal): Promise<Outcome> {
    let next = look
    for (let round = 0; round < MAX_ROUNDS; round++) {
      try {
        const outcome = await this.#call(key, next, signal)
        this.#accept(outcome)
        const isOver = this.#desired(key).owners.length === 0
        if (isOver || outcome.againAfterMs === undefined || outcome.againAfterMs > LONG_MS) return outcome
        await sleep(realClock, outcome.againAfterMs, signal)
        next = 'changed'
      } catch (error) {
        if (!isLoadBalancerError(error, 'gone')) throw error
        this.lives++
        this.#newLife(key)
        next = 'full'
      }
    }
    throw new Error(`${key} does not come to an end`)
  }

  #newLife(key: string): void {
    const token = this.#freshToken()
    this.#tokens.set(key, token)
    for (const [name, placement] of this.#placements)
      if (placement.key === key) this.#placements.set(name, { ...placement, token })
  }

  #call(key: string, look: 'full' | 'changed', signal: AbortSignal): Promise<Outcome> {
    const desired = this.#desired(key)
    const action = desired.owners.every(({ state }) => state === 'leaving') ? 'remove' : 'ensure'
    const notes = {
      write: async (uid: string, changes: Readonly<Record<string, string | null>>) =>
        this.#changeAnnotations(nameOf(uid), changes),
    }
    return this.provider[action](desired, { look, notes, signal })
  }

  #accept({ services, repaired = [] }: Outcome): void {
    this.repaired.push(...repaired)
    for (const [uid, { ingress, annotations = {}, isReleased }] of services) {
      const name = nameOf(uid)
      if (!this.#owners.has(name)) continue
      this.#changeAnnotations(name, annotations)
      this.edit(name, { ingress })
      if (isReleased && this.get(name).state === 'leaving') this.#forget(name)
    }
  }

  #forget(name: string): void {
    const key = this.#placements.get(name)?.key ?? ''
    this.#owners.delete(name)
    this.#placements.delete(name)
    if (![...this.#placements.values()].some((each) => each.key === key)) this.#tokens.delete(key)
  }
}

const nameOf = (uid: string): string => uid.slice('uid-'.length)

const serviceOf = ({ uid, namespace, name, annotations, loadBalancerClass }: Owner): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { uid, namespace, name, annotations },
  spec: { type: 'LoadBalancer', ...(loadBalancerClass && { loadBalancerClass }) },
})
