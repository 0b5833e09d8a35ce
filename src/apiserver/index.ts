export {
  type Certificates,
  type CertificatesOptions,
  type ClientIdentity,
  type KeyPair,
  type KubeconfigOptions,
  kubeconfigText,
  openCertificates,
  writeKubeconfig,
} from './certificates/index.ts'
export type { Listening } from './http/listen.ts'
export type { AdmitRequest, Plan, PlanRequest, Strategy } from './registry/strategy.ts'
export type { PodLogRequest, PodLogs } from './rest/index.ts'
export { type ApiServer, type ApiServerOptions, createApiServer, type ListenRequest, type StartHook } from './server.ts'
