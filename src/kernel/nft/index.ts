export { type ElementSet, textSet } from './element-set.ts'
export { createNft, type NftOptions } from './nft.ts'
export {
  type Chain,
  type Command,
  type Element,
  elementText,
  type Hook,
  type LiveChain,
  type NamedSet,
  type Nft,
  type Refusal,
  RefusedElements,
  ruleMark,
  type Table,
  type TableContents,
  type Transaction,
  tableText,
} from './objects.ts'
export { renderTransaction } from './render.ts'
export { type ChainWatchOptions, watchChain } from './watch.ts'
