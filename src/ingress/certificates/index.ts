export { type CertificateProblem, type ReadCertificate, readCertificate } from './certificate.ts'
