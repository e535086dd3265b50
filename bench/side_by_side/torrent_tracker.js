// bittorrent-tracker's server with its own defaults, for p2p-media-loader. The package's command would load its client too,
// and with that a native WebRTC module that not every machine has.
import Server from "bittorrent-tracker/server";

const server = new Server({ udp: false, http: false, ws: true });
server.on("error", (error) => console.error(`error: ${error.message}`));
server.listen(Number(process.argv[2]), "127.0.0.1");
