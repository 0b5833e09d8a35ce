export {
  type PartialObjectMetadata,
  type PartialObjectMetadataList,
  toPartialMetadata,
  toPartialMetadataList,
} from './metadata.ts'
export { type MetaVersion, negotiate, type Representation } from './negotiate.ts'
export { type IncludeObject, parseIncludeObject, type Table, type TableOptions, toTable } from './table.ts'
