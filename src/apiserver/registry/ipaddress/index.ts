export { ipAddressStrategy } from './strategy.ts'
