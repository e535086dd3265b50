/** Put in place by the bundler: the package's version. */
declare const PEERPOOL_VERSION: string;
