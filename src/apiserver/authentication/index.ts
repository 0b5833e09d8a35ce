export { authenticate, type Connection } from './authenticate.ts'
export { accessForbidden, authorize } from './authorize.ts'
