export { draining, dying, endpoint, node, port, ready, service, slice, unready, vips } from './builders.ts'
