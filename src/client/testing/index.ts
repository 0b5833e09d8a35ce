export { type FakeApi, type FakeApiOptions, fakeApi } from './fake-api.ts'
