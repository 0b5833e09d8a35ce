export type { FakePacket, FakeVerdict } from './evaluate.ts'
export { type FakeNft, fakeNft } from './fake-nft.ts'
