export {
  type Credential,
  createEmulator,
  type Emulator,
  type EmulatorOptions,
  type Instance,
  type Inventory,
  isQuota,
  type Quotas,
  type RunningEmulator,
  type StoredCertificate,
  type Subnet,
} from './tencent/index.ts'
