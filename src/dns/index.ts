export { createDns, type Dns, type DnsOptions, type RunningDns } from './controller.ts'
export type { Upstream } from './forward.ts'
export { parseNameServers } from './resolv-conf.ts'
