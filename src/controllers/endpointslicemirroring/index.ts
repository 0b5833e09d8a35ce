export { createEndpointSliceMirroringController, type EndpointSliceMirroringControllerDeps } from './controller.ts'
