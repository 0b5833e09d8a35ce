export { type FakeApi, type FakeApiOptions, fakeApi } from './fake-api.ts'
export { type HttpFront, listen, serveApi } from './http-front.ts'
