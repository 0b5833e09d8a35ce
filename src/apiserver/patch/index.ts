export { applyPatch, type PatchRequest } from './apply-patch.ts'
