/**
 * The tracker as peers meet it: sockets with a round trip, frames of JSON. What it answers comes from one of two backends.
 *
 * - `PipeBackend`: the real tracker core in Python, in the parent process (bench/tracker_bridge.py), asked synchronously over
 *   two inherited pipes. This is what `make sim` and the tests of the simulator use: the rules are tried where they ship.
 *   Recorded answers instead would freeze one history and say nothing of another.
 * - `LocalBackend`: introductions at random and relays, nothing else: for node run alone, to look at the peers.
 */

import { readSync, writeSync } from "node:fs";
import { HINT_INTERVAL_MS, PING_INTERVAL_MS, REPORT_INTERVAL_MS } from "../../static/js/core/constants.js";

/** @typedef {import("./clock.js").Clock} Clock */
/** @typedef {import("../../static/js/core/membership.js").Message} Message */

/**
 * @typedef {{ connection: number, frame?: string, close?: number }} Reaction  a frame to send, or the code it closes with
 * @typedef {{ commands: Reaction[], deadlineMs: number }} Answer  deadlineMs: when to tick
 * @typedef {object} Backend
 * @property {(event: "open" | "message" | "close" | "tick", connection: number, nowMs: number, frame?: string, place?: string[]) => Answer} handle
 */

/** @implements {Backend} */
export class PipeBackend {
  /** @param {number} outFd @param {number} inFd  inherited file descriptors */
  constructor(outFd, inFd) {
    this._outFd = outFd;
    this._inFd = inFd;
    this._pending = Buffer.alloc(0);
    this._chunk = Buffer.alloc(1 << 16);
  }

  /** @type {Backend["handle"]} */
  handle(event, connection, nowMs, frame, place) {
    const request = Buffer.from(`${JSON.stringify({ event, connection, now: nowMs / 1000, frame, place })}\n`);
    for (let sent = 0; sent < request.length; ) sent += writeSync(this._outFd, request, sent);
    const { commands, deadline } = JSON.parse(this._line());
    return { commands, deadlineMs: deadline === null ? Number.POSITIVE_INFINITY : deadline * 1000 };
  }

  _line() {
    for (;;) {
      const end = this._pending.indexOf(10);
      if (end >= 0) {
        const line = this._pending.toString("utf8", 0, end);
        this._pending = this._pending.subarray(end + 1);
        return line;
      }
      const count = readSync(this._inFd, this._chunk);
      if (count === 0) throw new Error("the tracker's process has gone");
      this._pending = Buffer.concat([this._pending, this._chunk.subarray(0, count)]);
    }
  }
}

/** @implements {Backend} */
export class LocalBackend {
  /** @param {() => number} random */
  constructor(random) {
    this._random = random;
    /** @type {Map<number, string>} connection -> peer id, of members */
    this._members = new Map();
    /** @type {Map<string, number>} */
    this._connections = new Map();
    this._saidSize = 0;
    this._hintMs = Number.POSITIVE_INFINITY;
  }

  /** @type {Backend["handle"]} */
  handle(event, connection, nowMs, frame) {
    /** @type {Reaction[]} */
    const commands = [];
    if (event === "message") this._message(connection, JSON.parse(/** @type {string} */ (frame)), commands, nowMs);
    else if (event === "close") this._forget(connection, nowMs);
    else if (event === "tick" && nowMs >= this._hintMs) this._hint(commands);
    return { commands, deadlineMs: this._hintMs };
  }

  /** @param {number} connection @param {Message} message @param {Reaction[]} commands @param {number} nowMs */
  _message(connection, message, commands, nowMs) {
    /** @param {number} to @param {object} answer */
    const say = (to, answer) => commands.push({ connection: to, frame: JSON.stringify(answer) });
    if (message.type === "join") {
      const peer = connection.toString(16).padStart(20, "0");
      const neighbours = this._draw(peer, Number(message.want), []);
      this._members.set(connection, peer);
      this._connections.set(peer, connection);
      this._resized(nowMs);
      const intervals = { ping_interval_ms: PING_INTERVAL_MS, report_interval_ms: REPORT_INTERVAL_MS };
      say(connection, { type: "welcome", peer, neighbours, cluster_size: this._members.size, ice_servers: [], ...intervals });
    } else if (message.type === "want") {
      const except = /** @type {string[]} */ (message.except);
      say(connection, {
        type: "neighbours",
        neighbours: this._draw(this._members.get(connection) ?? "", Number(message.count), except),
      });
    } else if (message.type === "ping") {
      say(connection, { type: "pong" });
    } else if (message.type === "leave") {
      this._forget(connection, nowMs);
    } else if (message.to !== undefined) {
      const other = this._connections.get(String(message.to));
      if (other === undefined) say(connection, { type: "gone", peer: message.to });
      else say(other, { ...message, to: undefined, from: this._members.get(connection) });
    }
  }

  /** @param {string} peer @param {number} count @param {string[]} except @returns {string[]} */
  _draw(peer, count, except) {
    const others = [...this._connections.keys()].filter((other) => other !== peer && !except.includes(other));
    for (let index = 0; index < Math.min(count, others.length); index++) {
      const from = index + Math.floor(this._random() * (others.length - index));
      [others[index], others[from]] = [/** @type {string} */ (others[from]), /** @type {string} */ (others[index])];
    }
    return others.slice(0, count);
  }

  /** @param {number} connection @param {number} nowMs */
  _forget(connection, nowMs) {
    this._connections.delete(this._members.get(connection) ?? "");
    if (this._members.delete(connection)) this._resized(nowMs);
  }

  /** @param {number} nowMs */
  _resized(nowMs) {
    if (this._members.size !== this._saidSize) this._hintMs = Math.min(this._hintMs, nowMs + HINT_INTERVAL_MS);
  }

  /** @param {Reaction[]} commands */
  _hint(commands) {
    this._hintMs = Number.POSITIVE_INFINITY;
    this._saidSize = this._members.size;
    const frame = JSON.stringify({ type: "hint", cluster_size: this._saidSize });
    for (const connection of this._members.keys()) commands.push({ connection, frame });
  }
}

/** A peer's socket. */
export class Socket {
  /** @param {Tracker} tracker @param {number} connection @param {number} oneWayMs @param {string[]} place @param {SocketEvents} events */
  constructor(tracker, connection, oneWayMs, place, events) {
    this.place = place;
    this.tracker = tracker;
    this.connection = connection;
    this.oneWayMs = oneWayMs;
    this.events = events;
    this.closed = false;
  }

  /** @param {Message} message */
  send(message) {
    const frame = JSON.stringify(message);
    this.tracker.bytes += frame.length;
    this.tracker.clock.after(this.oneWayMs, tell, { socket: this, event: /** @type {const} */ ("message"), frame });
  }

  /** Closes it properly; nothing more is told. */
  close() {
    if (this.closed) return;
    this.closed = true;
    this.tracker.clock.after(this.oneWayMs, tell, { socket: this, event: /** @type {const} */ ("close"), frame: undefined });
  }
}

/**
 * @typedef {object} SocketEvents
 * @property {() => void} opened
 * @property {(message: Message) => void} received
 * @property {(code: number) => void} closed
 */

export class Tracker {
  /** @param {Clock} clock @param {Backend} backend */
  constructor(clock, backend) {
    this.clock = clock;
    this.messages = 0;
    this.bytes = 0;
    this._backend = backend;
    /** @type {Map<number, Socket>} */
    this._sockets = new Map();
    this._nextConnection = 1;
    this._tickMs = Number.POSITIVE_INFINITY;
  }

  /** @param {number} oneWayMs @param {string[]} place @param {SocketEvents} events @returns {Socket} that opens after three round trips: TCP, TLS, upgrade */
  open(oneWayMs, place, events) {
    const socket = new Socket(this, this._nextConnection++, oneWayMs, place, events);
    this.clock.after(5 * oneWayMs, accepted, socket);
    return socket;
  }

  /** @param {Socket} socket */
  accepted(socket) {
    if (socket.closed) return;
    this._sockets.set(socket.connection, socket);
    this.handle("open", socket.connection, undefined, socket.place);
    this.clock.after(socket.oneWayMs, opened, socket);
  }

  /** @param {"open" | "message" | "close" | "tick"} event @param {number} connection @param {string} [frame] @param {string[]} [place] */
  handle(event, connection, frame, place) {
    if (event !== "tick" && !this._sockets.has(connection)) return;
    if (event === "close") this._sockets.delete(connection);
    this.messages++;
    const { commands, deadlineMs } = this._backend.handle(event, connection, this.clock.nowMs, frame, place);
    for (const command of commands) this._react(command);
    if (deadlineMs >= this._tickMs) return;
    // Never at once again: a deadline that has passed already would tick for ever.
    this._tickMs = Math.max(deadlineMs, this.clock.nowMs + 50);
    this.clock.at(this._tickMs, tick, this);
  }

  /** @param {Reaction} reaction */
  _react({ connection, frame, close }) {
    const socket = this._sockets.get(connection);
    if (!socket) return;
    if (close !== undefined) this._sockets.delete(connection);
    if (frame !== undefined) this.bytes += frame.length;
    this.clock.after(socket.oneWayMs, reacted, { socket, frame, close });
  }

  tick() {
    if (this.clock.nowMs < this._tickMs) return;
    this._tickMs = Number.POSITIVE_INFINITY;
    this.handle("tick", 0);
  }
}

/** @param {Socket} socket */
function accepted(socket) {
  socket.tracker.accepted(socket);
}

/** @param {Socket} socket */
function opened(socket) {
  if (!socket.closed) socket.events.opened();
}

/** @param {{ socket: Socket, event: "message" | "close", frame: string | undefined }} told */
function tell({ socket, event, frame }) {
  socket.tracker.handle(event, socket.connection, frame);
}

/** @param {{ socket: Socket, frame: string | undefined, close: number | undefined }} reaction */
function reacted({ socket, frame, close }) {
  if (socket.closed) return;
  if (frame !== undefined) socket.events.received(JSON.parse(frame));
  if (close === undefined) return;
  socket.closed = true;
  socket.events.closed(close);
}

/** @param {Tracker} tracker */
function tick(tracker) {
  tracker.tick();
}
