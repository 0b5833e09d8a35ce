import type { ClientSessionOptions, ServerSessionOptions } from 'node:http2'
import type { EngineSettings } from '../settings.ts'

/** MB that one connection may take for queues and headers; Node refuses new streams above it. */
const MOST_SESSION_MEMORY = 10
/** Beyond our own limits, which are answered 431, up to this many times: above that Node resets the stream. */
const ANSWERED_EXCESS = 2
/** Frames of closed or unknown streams, and empty DATA frames (CVE-2019-9518). */
const MOST_INVALID_FRAMES = 200
/** Streams above the limit of those in progress. */
const MOST_REJECTED_STREAMS = 200
/** Of ours that the peer has not answered (CVE-2019-9512, CVE-2019-9515 are nghttp2's: 1,000 of theirs). */
const MOST_OUTSTANDING = 10

/** Documented for servers; the types of sessions leave them out. */
interface MissingOptions {
  readonly maxSessionInvalidFrames: number
  readonly maxSessionRejectedStreams: number
}

/**
 * What Node and nghttp2 guard for us. Not to be set here: at most 8 CONTINUATION frames (nghttp2 1.61, CVE-2024-28182) and 1,000 resets at once, then
 * 33 a second, of the whole connection.
 */
export const sessionOptions = (settings: EngineSettings): ServerSessionOptions & MissingOptions => ({
  maxSessionMemory: MOST_SESSION_MEMORY,
  maxHeaderListPairs: settings.maxFields * ANSWERED_EXCESS,
  maxOutstandingPings: MOST_OUTSTANDING,
  maxSessionInvalidFrames: MOST_INVALID_FRAMES,
  maxSessionRejectedStreams: MOST_REJECTED_STREAMS,
  settings: {
    maxConcurrentStreams: settings.http2MaxStreams,
    initialWindowSize: settings.http2StreamWindowBytes,
    maxHeaderListSize: settings.maxHeadBytes * ANSWERED_EXCESS,
    enableConnectProtocol: false,
  },
})

/** The same towards pods. */
export const podSessionOptions = (settings: EngineSettings): ClientSessionOptions => ({
  maxSessionMemory: MOST_SESSION_MEMORY,
  maxHeaderListPairs: settings.maxFields * ANSWERED_EXCESS,
  maxOutstandingPings: MOST_OUTSTANDING,
  maxReservedRemoteStreams: 0,
  settings: {
    enablePush: false,
    initialWindowSize: settings.http2StreamWindowBytes,
    maxHeaderListSize: settings.maxHeadBytes * ANSWERED_EXCESS,
  },
})
