export { type InstanceTag, instanceTag } from './instance.ts'
export { type Bridge, createLinks, type Links, type OwnedLinks, type Port } from './links.ts'
