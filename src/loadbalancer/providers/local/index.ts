import { realExec } from '../../../host/index.ts'
import { loadLibc } from '../../../host/native/index.ts'
import type { CreatedProvider, ProviderDeps, ProviderModule } from '../../provider-module.ts'
import { createAnnouncer, createDevices, createTeller } from './announce/index.ts'
import { type LocalConfig, readLocalConfig } from './config.ts'
import { createLocalProvider, providerName } from './provider.ts'

export { LOCAL_CLASS, type LocalConfig, onePool } from './config.ts'
export { createLocalProvider } from './provider.ts'

/** For `fairway loadbalancer --provider local`: every replica announces for its node, one of them gives the addresses. */
export const localProvider: ProviderModule<LocalConfig> = {
  name: 'local',
  readConfig: readLocalConfig,
  create: (config, deps) => ({ provider: createLocalProvider(config), components: announcers(config, deps) }),
}

const announcers = ({ announce, className, pools }: LocalConfig, deps: ProviderDeps): CreatedProvider['components'] => {
  if (announce === undefined) return []
  const { nodeName } = announce
  const [devices, teller] = [createDevices(realExec), createTeller(loadLibc, realExec)]
  return [createAnnouncer({ ...deps, providerName: providerName(className), nodeName, config: announce, pools, devices, teller })]
}
