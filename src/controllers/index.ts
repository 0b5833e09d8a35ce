export { type ControllerInformers, controllerIndexes, type KindInformer } from './caches.ts'
export { type ControllersDeps, createControllers } from './create-controllers.ts'
