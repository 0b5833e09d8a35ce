import type { ProviderModule } from '../../provider-module.ts'
import { type LocalConfig, readLocalConfig } from './config.ts'
import { createLocalProvider } from './provider.ts'

export { LOCAL_CLASS, type LocalConfig, onePool } from './config.ts'
export { createLocalProvider } from './provider.ts'

/** For `fairway loadbalancer --provider local`. */
export const localProvider: ProviderModule<LocalConfig> = {
  name: 'local',
  readConfig: readLocalConfig,
  create: (config) => ({ provider: createLocalProvider(config), components: [] }),
}
