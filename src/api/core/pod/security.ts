import { boolean, type Infer, int64, list, object, optional, required, string } from '../../../schema/index.ts'

const seLinuxOptionsSchema = object('SELinuxOptions', {
  user: optional(1, string()),
  role: optional(2, string()),
  type: optional(3, string()),
  level: optional(4, string()),
})
export type SELinuxOptions = Infer<typeof seLinuxOptionsSchema>

const windowsSecurityContextOptionsSchema = object('WindowsSecurityContextOptions', {
  gmsaCredentialSpecName: optional(1, string()),
  gmsaCredentialSpec: optional(2, string()),
  runAsUserName: optional(3, string()),
  hostProcess: optional(4, boolean()),
})
export type WindowsSecurityContextOptions = Infer<typeof windowsSecurityContextOptionsSchema>

const seccompProfileSchema = object('SeccompProfile', {
  type: required(1, string()),
  localhostProfile: optional(2, string()),
})
export type SeccompProfile = Infer<typeof seccompProfileSchema>

const appArmorProfileSchema = object('AppArmorProfile', {
  type: required(1, string()),
  localhostProfile: optional(2, string()),
})
export type AppArmorProfile = Infer<typeof appArmorProfileSchema>

const capabilitiesSchema = object('Capabilities', {
  add: optional(1, list(string(), { type: 'atomic' })),
  drop: optional(2, list(string(), { type: 'atomic' })),
})
export type Capabilities = Infer<typeof capabilitiesSchema>

export const securityContextSchema = object('SecurityContext', {
  capabilities: optional(1, capabilitiesSchema),
  privileged: optional(2, boolean()),
  seLinuxOptions: optional(3, seLinuxOptionsSchema),
  runAsUser: optional(4, int64()),
  runAsNonRoot: optional(5, boolean()),
  readOnlyRootFilesystem: optional(6, boolean()),
  allowPrivilegeEscalation: optional(7, boolean()),
  runAsGroup: optional(8, int64()),
  procMount: optional(9, string()),
  windowsOptions: optional(10, windowsSecurityContextOptionsSchema),
  seccompProfile: optional(11, seccompProfileSchema),
  appArmorProfile: optional(12, appArmorProfileSchema),
})
export type SecurityContext = Infer<typeof securityContextSchema>

const sysctlSchema = object('Sysctl', {
  name: required(1, string()),
  value: required(2, string()),
})
export type Sysctl = Infer<typeof sysctlSchema>

export const podSecurityContextSchema = object('PodSecurityContext', {
  seLinuxOptions: optional(1, seLinuxOptionsSchema),
  runAsUser: optional(2, int64()),
  runAsNonRoot: optional(3, boolean()),
  supplementalGroups: optional(4, list(int64(), { type: 'atomic' })),
  fsGroup: optional(5, int64()),
  runAsGroup: optional(6, int64()),
  sysctls: optional(7, list(sysctlSchema, { type: 'atomic' })),
  windowsOptions: optional(8, windowsSecurityContextOptionsSchema),
  fsGroupChangePolicy: optional(9, string()),
  seccompProfile: optional(10, seccompProfileSchema),
  appArmorProfile: optional(11, appArmorProfileSchema),
  supplementalGroupsPolicy: optional(12, string()),
  seLinuxChangePolicy: optional(13, string()),
})
export type PodSecurityContext = Infer<typeof podSecurityContextSchema>
