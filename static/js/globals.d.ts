/** Put in place by the bundler: the package's version. */
declare const PEERPOOL_VERSION: string;
/** Whether this is built for the npm package. */
declare const PEERPOOL_IS_PACKAGE: boolean;
/** Of the second scripts their hashed file names, and their integrity as of Subresource Integrity. */
declare const PEERPOOL_NOTICE_FILE: string;
declare const PEERPOOL_NOTICE_INTEGRITY: string;
declare const PEERPOOL_CRYPTO_FILE: string;
declare const PEERPOOL_CRYPTO_INTEGRITY: string;
declare const PEERPOOL_FILES_FILE: string;
declare const PEERPOOL_FILES_INTEGRITY: string;
declare const PEERPOOL_DASH_FILE: string;
declare const PEERPOOL_DASH_INTEGRITY: string;
declare const PEERPOOL_DEBUG_FILE: string;
declare const PEERPOOL_DEBUG_INTEGRITY: string;
