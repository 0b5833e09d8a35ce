import {
  type CreatedProvider,
  localProvider,
  type ProviderDeps,
  type ProviderModule,
  tencentProvider,
} from '../../loadbalancer/index.ts'

/** A provider by its name, whatever its configuration looks like. */
export interface SelectableProvider {
  readonly name: string
  /** Reads the configuration; every problem at once. */
  prepare(file: unknown, env: Readonly<Record<string, string | undefined>>): PreparedProvider
}

export interface PreparedProvider {
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
  /** Only without problems. */
  create(deps: ProviderDeps): CreatedProvider
}

const selectable = <Config>({ name, readConfig, create }: ProviderModule<Config>): SelectableProvider => ({
  name,
  prepare(file, env) {
    const result = readConfig(file, env)
    if (result.kind === 'config')
      return { problems: [], warnings: result.warnings, create: (deps) => create(result.config, deps) }
    return {
      problems: result.problems,
      warnings: [],
      create: () => {
        throw new Error(`the configuration of ${name} has problems`)
      },
    }
  },
})

/** Those that `--provider` names. */
export const PROVIDERS: readonly SelectableProvider[] = [selectable(localProvider), selectable(tencentProvider)]
