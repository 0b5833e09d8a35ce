import { isNotFound, type Secret, secretKind } from '../../api/index.ts'
import { INSTANCE_LABEL, orderSecret, ROLE_LABEL } from './names.ts'
import { type OrderRecord, recordOfSecret, secretOfRecord } from './order-record.ts'
import type { SecretStore } from './secret-store.ts'

interface Stored {
  readonly record: OrderRecord
  readonly version: string | undefined
}

/**
 * The records of one leader's term: read once, written through. Every write is guarded by the version, so that a leader who does not know yet that he leads no more
 * gets a Conflict.
 */
export class OrderRecords {
  readonly #store: SecretStore
  readonly #stored: Map<string, Stored>

  private constructor(store: SecretStore, stored: Map<string, Stored>) {
    this.#store = store
    this.#stored = stored
  }

  static async load(store: SecretStore): Promise<OrderRecords> {
    const { client, place } = store
    const labelSelector = `${ROLE_LABEL}=order,${INSTANCE_LABEL}=${place.instance}`
    const { items } = await client.list(secretKind, { namespace: place.namespace, labelSelector })
    const stored = new Map<string, Stored>()
    for (const secret of items) {
      const record = recordOfSecret(secret)
      if (record === undefined) await remove(store, secret.metadata.name)
      else stored.set(record.certificate, { record, version: secret.metadata.resourceVersion })
    }
    return new OrderRecords(store, stored)
  }

  get(certificate: string): OrderRecord | undefined {
    return this.#stored.get(certificate)?.record
  }

  all(): readonly OrderRecord[] {
    return [...this.#stored.values()].map(({ record }) => record)
  }

  async save(record: OrderRecord): Promise<OrderRecord> {
    const { client, place } = this.#store
    const known = this.#stored.get(record.certificate)
    const secret = secretOfRecord(place, record)
    const written: Secret =
      known === undefined
        ? await client.create(secretKind, secret)
        : await client.update(secretKind, versioned(secret, known.version))
    this.#stored.set(record.certificate, { record, version: written.metadata.resourceVersion })
    return record
  }

  async forget(certificate: string): Promise<void> {
    const known = this.#stored.get(certificate)
    if (known === undefined) return
    await remove(this.#store, orderSecret(this.#store.place, certificate), known.version)
    this.#stored.delete(certificate)
  }
}

const versioned = (secret: Secret, resourceVersion: string | undefined): Secret => ({
  ...secret,
  metadata: { ...secret.metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
})

const remove = async ({ client, place: { namespace } }: SecretStore, name: string, resourceVersion?: string): Promise<void> => {
  try {
    await client.delete(
      secretKind,
      { namespace, name },
      resourceVersion === undefined ? {} : { preconditions: { resourceVersion } },
    )
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}
