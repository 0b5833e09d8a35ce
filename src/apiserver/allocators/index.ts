export { type AddressPool, createAddressPool, DEFAULT_SERVICE_CIDR, type Picked } from './address-pool.ts'
export { type Allocators, type AllocatorsOptions, createAllocators } from './allocators.ts'
export { IP_ADDRESS_PREFIX, ipAddressKey, NODE_PORT_PREFIX, nodePortKey } from './keys.ts'
export { DEFAULT_NODE_PORT_RANGE, type PortPool, type PortRange, type Protocol } from './port-pool.ts'
