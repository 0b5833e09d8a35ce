export { type BpfCalls, type BpfMapInfo, openBpf } from './bpf.ts'
export { networkCookie, openCgroupRoot } from './bpf-places.ts'
export { type Libc, type LibcFunction, loadLibc, type NoLibc } from './libc.ts'
export { NETLINK_NETFILTER, NETLINK_SOCK_DIAG, type NetlinkOptions, type NetlinkSocket, openNetlink } from './netlink.ts'
