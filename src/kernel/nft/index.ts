export { createNft } from './nft.ts'
export type { Chain, Command, Element, Hook, NamedSet, Nft, Table, TableContents, Transaction } from './objects.ts'
export { renderTransaction } from './render.ts'
