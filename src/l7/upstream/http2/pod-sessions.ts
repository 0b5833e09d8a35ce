import type { UpstreamUser } from '../stream.ts'
import { PodSession, type PodSessionOwner } from './pod-session.ts'
import type { PodStream } from './pod-stream.ts'

/** The HTTP/2 connections to one endpoint: a second one is opened when the pod takes no more requests on the first. */
export class PodSessions {
  readonly #owner: Omit<PodSessionOwner, 'onSessionClosed'>
  /** Those that take requests. */
  readonly #open = new Set<PodSession>()
  readonly #all = new Set<PodSession>()

  constructor(owner: Omit<PodSessionOwner, 'onSessionClosed'>) {
    this.#owner = owner
  }

  /** A stream on a connection that is open; undefined when there is none with room. */
  takeOpen(user: UpstreamUser): PodStream | undefined {
    for (const session of this.#open) if (session.hasRoom('open')) return session.take(user)
    return undefined
  }

  /** A stream on a connection that is being opened, a new one if need be. */
  connect(user: UpstreamUser): PodStream {
    for (const session of this.#open) if (session.hasRoom('connecting')) return session.take(user)
    const session: PodSession = new PodSession(this.#sessionOwner(), user)
    this.#open.add(session)
    this.#all.add(session)
    return session.take(user)
  }

  retire(): void {
    for (const session of [...this.#open]) session.retire()
  }

  closeAll(): void {
    for (const session of [...this.#all]) session.destroy()
  }

  #sessionOwner(): PodSessionOwner {
    const { endpoint, settings, deadlines, tls } = this.#owner
    return {
      endpoint,
      settings,
      deadlines,
      tls,
      onStreamDone: () => this.#owner.onStreamDone(),
      onSessionClosed: (session) => {
        this.#open.delete(session)
        if (!session.isOpen) this.#all.delete(session)
      },
    }
  }
}
