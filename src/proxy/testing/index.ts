export { type FakeBackend, type FakeOutcome, fakeBackend } from './fake-backend.ts'
export { type LoopbackWorld, loopbackWorld } from './loopback-world.ts'
