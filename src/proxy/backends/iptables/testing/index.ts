export { sendThrough } from './send.ts'
