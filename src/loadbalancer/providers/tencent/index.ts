export { tencentProvider } from './module.ts'
