export {
  type Answer,
  type CompiledPolicy,
  type FieldLines,
  type MirrorRequest,
  type RequestView,
  type StickyPolicy,
  takesAddedFields,
  type Verdict,
} from './contract.ts'
export { withFieldLines } from './field-edits.ts'
export type { OutsideAnswer, OutsideClient, OutsideFailure, OutsideOutcome, OutsideRequest } from './outside/contract.ts'
export { lazyOutsideClient } from './outside/lazy-client.ts'
export { Policies, type PolicyDeps } from './policies.ts'
