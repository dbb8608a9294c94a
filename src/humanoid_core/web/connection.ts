// SPDX-License-Identifier: Apache-2.0
// What all our pages have in common: pairing by code, a connection that comes back, pictures one at a time.
// The other end is humanoid_core/page_server.py.

const TOKEN = "humanoid-token";
const UNPAIRED = 4001;

export interface Heard {
  pairingNeeded(reason: string): void;
  connected(isConnected: boolean): void;
  message(message: { type: string; [key: string]: any }): void;
  bytes(number: number, data: Uint8Array): Promise<void> | void;
}

export class Connection {
  private socket: WebSocket | null = null;
  private wait = 250; // [ms]

  constructor(private readonly heard: Heard) {}

  /** Pairs with the code in the address (`#123456`), or connects with the token that an earlier pairing left. */
  async start(): Promise<void> {
    const code = /^#(\d{6})$/.exec(location.hash)?.[1];
    if (code) history.replaceState(null, "", location.pathname);
    if (code && (await this.pair(code))) return;
    if (localStorage.getItem(TOKEN)) this.connect();
    else this.heard.pairingNeeded("");
  }

  async pair(code: string): Promise<boolean> {
    const reply = await fetch("pair", { method: "POST", body: JSON.stringify({ code }) });
    const { token, error } = await reply.json();
    if (!token) {
      this.heard.pairingNeeded(error);
      return false;
    }
    localStorage.setItem(TOKEN, token);
    this.connect();
    return true;
  }

  say(message: object): boolean {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** Sends bytes, unless more than `backlog` [bytes] still wait. */
  send(data: ArrayBuffer, backlog: number): void {
    if (this.socket?.readyState === WebSocket.OPEN && this.socket.bufferedAmount < backlog) this.socket.send(data);
  }

  private connect(): void {
    const socket = new WebSocket(`wss://${location.host}/ws`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      socket.send(localStorage.getItem(TOKEN) ?? "");
      this.wait = 250;
      this.heard.connected(true);
    };
    socket.onmessage = (event) => void this.receive(event.data);
    socket.onclose = (event) => {
      this.heard.connected(false);
      if (event.code === UNPAIRED) {
        localStorage.removeItem(TOKEN);
        this.heard.pairingNeeded("");
        return;
      }
      setTimeout(() => this.connect(), this.wait);
      this.wait = Math.min(2 * this.wait, 2000);
    };
  }

  private async receive(data: string | ArrayBuffer): Promise<void> {
    if (typeof data === "string") {
      this.heard.message(JSON.parse(data));
      return;
    }
    const picture = new Uint8Array(data)[0];
    try {
      await this.heard.bytes(picture, new Uint8Array(data, 1));
    } finally {
      this.say({ type: "shown", picture });
    }
  }
}
