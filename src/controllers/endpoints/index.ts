export { createEndpointsController, type EndpointsControllerDeps } from './controller.ts'
