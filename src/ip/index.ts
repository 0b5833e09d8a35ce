export {
  type Address,
  type AddressReading,
  addressFromBytes,
  addressToBytes,
  addToAddress,
  bitsOf,
  compareAddresses,
  formatAddress,
  type IPFamily,
  parseAddress,
  readAddress,
  sameAddress,
} from './address.ts'
export { Bitmap } from './bitmap.ts'
export {
  addressAt,
  addressesFrom,
  type CIDR,
  type CIDRReading,
  cidrContains,
  cidrContainsCIDR,
  cidrOf,
  cidrSize,
  cidrsOverlap,
  firstAddress,
  formatCIDR,
  lastAddress,
  offsetIn,
  parseCIDR,
  readCIDR,
} from './cidr.ts'
export { addressOfReverseName, reverseName } from './reverse-name.ts'
export { familyOf, isLinkLocal, isLinkLocalMulticast, isLoopback, isMulticast, isUnspecified } from './special.ts'
