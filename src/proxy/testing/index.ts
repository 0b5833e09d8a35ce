export { type FakeBackend, type FakeOutcome, fakeBackend } from './fake-backend.ts'
export { FAKE_PLANS } from './fake-plans.ts'
export { type LoopbackWorld, loopbackWorld } from './loopback-world.ts'
