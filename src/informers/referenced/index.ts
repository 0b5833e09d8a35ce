export {
  createReferencedInformer,
  followEverything,
  type ReferencedInformer,
  type ReferencedInformerOptions,
} from './referenced-informer.ts'
