export type { Conntrack, ConntrackEntry, FlowEnd, FlowProtocol, ListFilter, Tuple } from './entries.ts'
export { createNetlinkConntrack, type NetlinkConntrackOptions } from './netlink.ts'
export { type OpenConntrackOptions, type OpenedConntrack, openConntrack } from './open.ts'
export { createConntrackTool } from './tool.ts'
