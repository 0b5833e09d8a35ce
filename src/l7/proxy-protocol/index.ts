export { acceptProxied } from './accept.ts'
export { encodeProxyBinary, encodeProxyText } from './encode.ts'
export type { ProxiedAddresses } from './header.ts'
