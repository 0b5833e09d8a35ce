import type { RequestView } from '../contract.ts'

/** A request for tests: `GET https://shop.example/` from 192.0.2.7 but for what is given; fields by lower-case name. */
export const request = (
  given: Partial<Omit<RequestView, 'field'>> & { readonly fields?: Readonly<Record<string, string>> } = {},
): RequestView => {
  const { fields = {}, ...rest } = given
  return {
    method: 'GET',
    host: 'shop.example',
    authority: 'shop.example',
    path: '/',
    query: '',
    isSecure: true,
    clientAddress: '192.0.2.7',
    requestId: '00ff',
    captures: undefined,
    ...rest,
    field: (name) => fields[name],
  }
}
