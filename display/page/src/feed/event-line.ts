/** The line of events: all that is entered into the record since this procedure began, each once, after any absence. */

import { SUBPROTOCOL, type Event, type Refusal } from "../feed-types";
import { token } from "./admission";

const RETRY_MS = 1500;
/** The line beats each second. */
const DEAD_AFTER_MS = 4000;

export class EventLine {
  private socket: WebSocket | null = null;
  /** Of the newest event or beat; none before the first, which a record of years then has to say. */
  private seq: number | null = null;
  private heardAt_ms = 0;

  /** @param take called with each event, in order */
  constructor(private readonly take: (event: Event) => void) {}

  /** Another run of the service: its record goes on, and so do its numbers. */
  connect(): void {
    if (this.socket !== null) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/v1/events`, SUBPROTOCOL);
    this.socket = socket;
    this.heardAt_ms = performance.now();
    socket.addEventListener("open", () => {
      socket.send(JSON.stringify({ type: "sign_in", token: token() ?? "" }));
      socket.send(JSON.stringify({ type: "follow", since_seq: this.seq }));
    });
    socket.addEventListener("message", (message) => {
      this.heardAt_ms = performance.now();
      const event = JSON.parse(String(message.data)) as Event | Refusal;
      if (event.type !== "event") return;
      this.seq = event.seq;
      if (event.kind !== "beat") this.take(event);
    });
    socket.addEventListener("close", () => this.leave(socket));
  }

  /** Called by the page's timer: leaves a dead line. */
  watch(now_ms: number): void {
    const { socket } = this;
    if (socket !== null && now_ms - this.heardAt_ms > DEAD_AFTER_MS) {
      socket.close();
      this.leave(socket);
    }
  }

  private leave(socket: WebSocket): void {
    if (socket !== this.socket) return;
    this.socket = null;
    window.setTimeout(() => this.connect(), RETRY_MS * (0.5 + Math.random()));
  }
}
