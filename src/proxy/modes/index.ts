export {
  type IptablesModeOptions,
  type IpvsModeOptions,
  type ModeDeps,
  type ModeName,
  type OpenedBackend,
  PROXY_MODES,
  type ProxyMode,
} from './mode.ts'
export { type CleanupReport, cleanupModes, openBackend } from './open.ts'
export { claimOfSharedNames, holderOfSharedNames, sharesNames } from './shared-names.ts'
