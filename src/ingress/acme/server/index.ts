export type { AcmeServer, Authorization, Challenge, Order } from './contract.ts'
export { AcmeFailure, refusalOf } from './failure.ts'
export { type Account, openServer, type ServerOptions } from './open-server.ts'
