export { createDeploymentController, type DeploymentControllerDeps } from './controller.ts'
