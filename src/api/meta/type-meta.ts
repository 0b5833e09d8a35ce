import { always, string } from '../../schema/index.ts'

/** `apiVersion` and `kind`: on the JSON wire only, protobuf carries them in the envelope. */
export const typeMeta = {
  apiVersion: always(undefined, string()),
  kind: always(undefined, string()),
}
