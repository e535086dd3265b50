"""Media PeerPool: one process that is tracker, signalling server and bundle server for peer-assisted media."""

__version__ = "0.1.0"
