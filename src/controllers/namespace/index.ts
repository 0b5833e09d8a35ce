export { createNamespaceController, type NamespaceControllerDeps } from './controller.ts'
