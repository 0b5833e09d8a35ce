export { type BpfCalls, type BpfMapInfo, networkCookie, openBpf, openCgroupRoot } from './bpf.ts'
export { type Libc, type LibcFunction, loadLibc, type NoLibc } from './libc.ts'
export { NETLINK_NETFILTER, NETLINK_SOCK_DIAG, type NetlinkOptions, type NetlinkSocket, openNetlink } from './netlink.ts'
