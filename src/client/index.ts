export type { ApiAnswer, ApiPort, ApiRequest, RawWatchEvent, UserInfo, Verb } from './api-port.ts'
export {
  type Client,
  ConnectionError,
  type DeleteOptions,
  type ListOptions,
  type NewObject,
  type ObjectList,
  type ObjectRef,
  type Patch,
  type ReadOptions,
  type Selection,
  type SubresourceRequest,
  type SubresourceWriteOptions,
  type WatchEvent,
  type WatchOptions,
  type WriteOptions,
} from './client.ts'
export { createEventRecorder, type EventRecorder, type EventRecorderOptions, type EventText } from './events.ts'
export type { Connection, Credentials, ExecPlugin } from './http/connection.ts'
export { createHttpClient, type HttpClient, type HttpClientOptions, type LogQuery } from './http/http-client.ts'
export { createInProcessClient, type InProcessClientOptions } from './in-process.ts'
export { type InClusterOptions, inClusterConnection } from './kubeconfig/in-cluster.ts'
export { type KubeconfigOptions, loadKubeconfig } from './kubeconfig/load.ts'
export {
  createLeaderElection,
  type LeaderElection,
  type LeaderElectionOptions,
  type Leadership,
  type LeaderTiming,
  soleLeader,
} from './leases/index.ts'
export type { PodLogRequest, PodLogs } from './pod-logs.ts'
