import type { ConfigMap, Ingress, IngressClass } from '../api/index.ts'
import type { ReferencedInformer } from '../informers/index.ts'
import { readDefaults } from './annotations/index.ts'
import { classParameters, type ParametersProblem, parametersProblem } from './class-settings.ts'
import { split } from './snapshot.ts'

interface DefaultsOptions {
  readonly configMaps: ReferencedInformer<ConfigMap>
  /** For all classes. */
  readonly configMap?: string
  classOf(ingress: Ingress): IngressClass | undefined
  /** Called once for each new problem. */
  tell(about: IngressClass | ConfigMap, problem: ParametersProblem): void
}

/** The settings that Ingresses get without an annotation: those of their class over those for all. */
export class Defaults {
  readonly #options: DefaultsOptions
  readonly #told = new Map<string, string>()
  /** ConfigMaps whose settings were read and told. */
  readonly #read = new WeakSet<ConfigMap>()

  constructor(options: DefaultsOptions) {
    this.#options = options
  }

  /** The ConfigMaps (`namespace/name`) to follow. */
  references(classes: readonly IngressClass[]): ReadonlySet<string> {
    const { configMap } = this.#options
    return new Set([...(configMap === undefined ? [] : [configMap]), ...classes.flatMap(configMapsOf)])
  }

  of(ingress: Ingress): Readonly<Record<string, string>> {
    const merged: Record<string, string> = Object.create(null)
    for (const key of this.#keysOf(ingress)) Object.assign(merged, this.#options.configMaps.get(...split(key))?.data)
    return merged
  }

  /** Of our Ingresses those whose settings one of these ConfigMaps holds. */
  touchedBy(configMaps: ReadonlySet<string>, ingresses: readonly Ingress[]): readonly Ingress[] {
    return ingresses.filter((ingress) => this.#keysOf(ingress).some((key) => configMaps.has(key)))
  }

  check(classes: readonly IngressClass[]): void {
    const { configMaps, tell } = this.#options
    for (const ingressClass of classes) {
      const name = ingressClass.metadata.name
      const find = (key: string) => ({ object: configMaps.get(...split(key)), refusal: configMaps.refusal(key) })
      const problem = parametersProblem(ingressClass, find)
      if (problem === undefined) this.#told.delete(name)
      else if (this.#told.get(name) !== problem.message) {
        this.#told.set(name, problem.message)
        tell(ingressClass, problem)
      }
    }
    for (const key of this.references(classes)) this.#checkSettings(configMaps.get(...split(key)))
  }

  /** What cannot be read is as if it were not there, except where it guards; whoever wrote it is told once. */
  #checkSettings(configMap: ConfigMap | undefined): void {
    if (configMap === undefined || this.#read.has(configMap)) return
    this.#read.add(configMap)
    for (const { message } of readDefaults(configMap.data ?? {}, { isNginx: true }).findings)
      this.#options.tell(configMap, { reason: 'InvalidSettings', message })
  }

  /** The weaker first. */
  #keysOf(ingress: Ingress): readonly string[] {
    const { configMap, classOf } = this.#options
    const ingressClass = classOf(ingress)
    return [...(configMap === undefined ? [] : [configMap]), ...(ingressClass === undefined ? [] : configMapsOf(ingressClass))]
  }
}

const configMapsOf = (ingressClass: IngressClass): readonly string[] => {
  const parameters = classParameters(ingressClass)
  return parameters.kind === 'configMap' ? [parameters.key] : []
}
