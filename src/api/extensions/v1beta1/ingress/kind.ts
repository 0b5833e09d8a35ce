import { oldIngressKind } from '../../../networking/v1beta1/ingress/kind.ts'

/** The first home of Ingress. */
export const extensionsIngressKind = oldIngressKind('extensions', 'v1.14')
