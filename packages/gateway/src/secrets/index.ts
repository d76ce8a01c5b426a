export { type AnnounceCredential, mintCredential, readCredentialFile, writeCredentialFile } from './credential-file.ts';
export {
  adoptKey,
  type KeyFacts,
  type KeyPlaces,
  type Keys,
  MasterKeyMissing,
  openKeys,
  prepareKey,
  readKeys,
  rotateMasterKey,
} from './key-ring.ts';
export {
  deriveKey,
  type KeyPurpose,
  keyPurposes,
  loadMasterKey,
  type MasterPlace,
  placeText,
  readMasterKey,
} from './master-key.ts';
export { createSealer, type Sealer } from './sealed.ts';
