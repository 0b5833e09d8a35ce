export { createEndpointSliceController, type EndpointSliceControllerDeps } from './controller.ts'
