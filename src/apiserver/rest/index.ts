export type { Access, RestContext } from './context.ts'
export { type BodyNotes, executeRequest, resolve } from './execute.ts'
export {
  internalError,
  methodNotAllowed,
  notAcceptable,
  pageNotFound,
  tooLarge,
  tooManyRequests,
  unauthorized,
  unsupportedMediaType,
} from './failures.ts'
export { createResources, type Resource, type Resources } from './resources.ts'
export { OPEN_PATHS, reviews } from './reviews.ts'
export { openWatch, type WatchBatches } from './watch.ts'
