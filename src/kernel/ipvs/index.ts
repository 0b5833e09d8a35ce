export { createServiceDevice, type ReadDevice, type ServiceDevice } from './device.ts'
export { createIpvs } from './ipvs.ts'
export {
  type IPProtocol,
  type Ipvs,
  type Load,
  type Operation,
  type ReadServer,
  type RealAddress,
  type RealServer,
  realText,
  SCHEDULERS,
  type Scheduler,
  type ServerAddress,
  serverText,
  type Timeouts,
  type VirtualServer,
} from './objects.ts'
export { renderOperation } from './render.ts'
