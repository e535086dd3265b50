/** The WebSocket to the tracker: JSON objects both ways, subprotocol of docs/wire-protocol.md section 2. */

import { PROTOCOL } from "../core/constants.js";

/** @typedef {import("../core/membership.js").Message} Message */

/**
 * @typedef {object} SocketEvents
 * @property {() => void} opened
 * @property {(message: Message) => void} received
 * @property {(code?: number) => void} closed  at most once an `open`, with the close code; never after `close`
 */

export class TrackerSocket {
  /** @param {string} url  ws: or wss: @param {SocketEvents} events */
  constructor(url, events) {
    this._url = url;
    this._events = events;
    /** @type {WebSocket | null} */
    this._socket = null;
  }

  open() {
    this.close();
    /** @type {WebSocket} */
    let socket;
    try {
      socket = new WebSocket(this._url, PROTOCOL);
    } catch {
      queueMicrotask(() => this._events.closed()); // a forbidden URL (mixed content, CSP): as good as unreachable
      return;
    }
    this._socket = socket;
    const current = () => this._socket === socket;
    socket.onopen = () => current() && this._events.opened();
    socket.onmessage = ({ data }) => {
      const message = current() ? parse(data) : null;
      if (message) this._events.received(message);
    };
    socket.onclose = ({ code }) => {
      if (!current()) return;
      this._socket = null;
      this._events.closed(code);
    };
  }

  /** @param {Message} message  dropped when the socket is not open */
  send(message) {
    if (this._socket?.readyState === WebSocket.OPEN) this._socket.send(JSON.stringify(message));
  }

  close() {
    const socket = this._socket;
    this._socket = null;
    socket?.close();
  }
}

/** @param {unknown} data @returns {Message | null} null for what is not an object with a type */
function parse(data) {
  try {
    const message = JSON.parse(String(data));
    return message !== null && typeof message.type === "string" ? message : null;
  } catch {
    return null;
  }
}
