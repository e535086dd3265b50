/** Put in place by the bundler: the package's version. */
declare const PEERPOOL_VERSION: string;
/** The notice's hashed file name, and its integrity as of Subresource Integrity. */
declare const PEERPOOL_NOTICE_FILE: string;
declare const PEERPOOL_NOTICE_INTEGRITY: string;
