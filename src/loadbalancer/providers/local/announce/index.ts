export { type AnnouncerOptions, createAnnouncer } from './announcer.ts'
export { createDevices } from './device.ts'
export { createTeller } from './teller.ts'
