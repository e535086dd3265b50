"""Viewers behind NATs: a laboratory of network namespaces, and the matrix of who meets whom in it (`make nat`)."""
