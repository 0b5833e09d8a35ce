export { writeCreation } from '../requests.ts'
export { type FakeConntrack, type FakePacket, type FakeVerdict, fakeConntrack } from './fake-conntrack.ts'
