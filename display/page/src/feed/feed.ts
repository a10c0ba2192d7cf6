/** The live feed: connects, asks for the next state when the last is drawn, connects again when it is lost. */

import { SUBPROTOCOL, VERSION, type ClientMessage, type Hello, type ServerMessage, type State } from "../feed-types";
import { leavePerson, token } from "./admission";
import { Delay } from "./delay";

const SHORTEST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 3000;
/** A display that is not admitted shows its token again so often: its file may be back at any time. */
const UNADMITTED_WAIT_MS = 3000;
const PING_EVERY_MS = 2000;
/** The service beats each second; a socket that brings nothing for so long is dead, whatever TCP believes. */
const DEAD_AFTER_MS = 3500;

export type Link = "connecting" | "open" | "lost" | "foreign" | "unadmitted";

/** Close code of a socket whose token is nobody's, or no longer. */
const NOT_ADMITTED = 4401;

/** The newest state and when this page received it. */
export interface Received {
  readonly hello: Hello;
  readonly state: State;
  readonly at_ms: number;
  readonly delay_s: number;
}

export class Feed {
  link: Link = "connecting";
  /** Why the service closed the feed; empty where it did not say. */
  refusal = "";
  hello: Hello | null = null;
  received: Received | null = null;

  private socket: WebSocket | null = null;
  private delay = new Delay();
  private wait_ms = SHORTEST_WAIT_MS;
  private retry = 0;
  private heardAt_ms = 0;
  private pingedAt_ms = 0;

  /** @param onChange called after every message and every change of the link */
  constructor(private readonly onChange: () => void) {}

  connect(): void {
    window.clearTimeout(this.retry);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/v1/feed`, SUBPROTOCOL);
    this.socket = socket;
    this.heardAt_ms = performance.now();
    socket.addEventListener("message", (event) => {
      if (socket === this.socket) this.take(JSON.parse(String(event.data)) as ServerMessage);
    });
    socket.addEventListener("open", () => {
      // also without one: whoever must have one is told so at once
      socket.send(JSON.stringify({ type: "sign_in", token: token() ?? "" }));
    });
    socket.addEventListener("close", (event) => {
      if (socket !== this.socket) return;
      if (event.code === NOT_ADMITTED) this.turnedAway();
      else this.reconnect();
    });
  }

  /** Connect anew with the token that is held now. */
  renew(): void {
    const { socket } = this;
    this.socket = null;
    socket?.close();
    this.link = "lost"; // nobody has been turned away with this token yet
    this.connect();
  }

  private turnedAway(): void {
    this.socket = null;
    if (leavePerson() && token() !== null) {
      this.connect(); // the display itself is still let in
      return;
    }
    this.link = "unadmitted";
    this.received = null;
    if (token() !== null) this.retryAfter(UNADMITTED_WAIT_MS);
    this.onChange();
  }

  /** Say that a state is drawn, which asks for the next. */
  drawn(seq: number): void {
    this.send({ type: "next", last_seq: seq });
  }

  /** Called by the page's timer: pings, and leaves a dead socket. */
  watch(now_ms: number): void {
    if (this.link === "foreign") return;
    if (this.socket !== null && now_ms - this.heardAt_ms > DEAD_AFTER_MS) {
      const dead = this.socket;
      this.reconnect();
      dead.close();
    } else if (this.link === "open" && now_ms - this.pingedAt_ms > PING_EVERY_MS) {
      this.ping(now_ms);
    }
  }

  private take(message: ServerMessage): void {
    this.heardAt_ms = performance.now();
    switch (message.type) {
      case "hello":
        this.greet(message);
        break;
      case "state":
        this.show(message);
        break;
      case "pong":
        this.delay.learn(message, this.heardAt_ms);
        break;
      case "refusal":
        this.refusal = message.message;
        break;
      case "heartbeat":
        break; // it was heard, and that is all it says
    }
    this.onChange();
  }

  private greet(hello: Hello): void {
    if (hello.version.split(".")[0] !== VERSION.split(".")[0]) {
      this.link = "foreign";
      this.received = null;
      this.socket?.close();
      return;
    }
    if (this.hello?.session_id !== hello.session_id) this.received = null;
    this.hello = hello;
    this.link = "open";
    this.refusal = "";
    this.wait_ms = SHORTEST_WAIT_MS;
    this.delay = new Delay();
    this.ping(performance.now());
    this.drawn(this.received?.state.seq ?? -1);
  }

  private show(state: State): void {
    if (this.hello === null) return;
    if (state.session_id !== this.hello.session_id) {
      this.received = null; // another run of the service: only a new hello says what it is
      this.socket?.close();
      return;
    }
    const delay_s = this.delay.since(state.server_monotonic_s, this.heardAt_ms);
    this.received = { hello: this.hello, state, at_ms: this.heardAt_ms, delay_s };
  }

  private ping(now_ms: number): void {
    this.pingedAt_ms = now_ms;
    this.send({ type: "ping", client_ms: now_ms });
  }

  private send(message: ClientMessage): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  private reconnect(): void {
    this.socket = null;
    if (this.link === "foreign") {
      this.onChange();
      return;
    }
    this.link = "lost";
    this.retryAfter(this.wait_ms);
    this.wait_ms = Math.min(LONGEST_WAIT_MS, this.wait_ms * 2);
    this.onChange();
  }

  private retryAfter(wait_ms: number): void {
    window.clearTimeout(this.retry);
    this.retry = window.setTimeout(() => this.connect(), wait_ms * (0.5 + Math.random()));
  }
}
