export { createServiceCIDRFinalizer, type ServiceCIDRFinalizerOptions } from './finalizer.ts'
export { SERVICE_CIDR_FINALIZER, serviceCidrStrategy } from './strategy.ts'
