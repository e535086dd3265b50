"""Plain hls.js, p2p-media-loader and Media PeerPool in real browsers on one machine: `make bench-side-by-side`."""
