export { type Applied, type ApplyOptions, applyManifest, identify, labelOf, orUndefined } from './apply.ts'
export { type Manifest, parseManifests, readManifests } from './read.ts'
