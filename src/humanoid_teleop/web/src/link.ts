// SPDX-License-Identifier: Apache-2.0
// The connection to the station: pairing, reconnecting, clock questions, pictures.

const TOKEN = "humanoid-token";
const UNPAIRED = 4001;
const BACKLOG = 20_000; // [bytes] of packets on their way; more, and the newest are left out

export interface Status {
  cameras?: string[];
  labels?: string[];
  safety?: string;
  reasons?: string[];
  teleop?: string;
  teleop_message?: string;
  errors?: Record<string, number>;
  recorder?: string;
  duration?: number;
  episode?: string;
  rate?: number;
  dropped?: number;
  clock?: { offset?: number; uncertainty?: number };
}

export interface Listener {
  pairingNeeded(reason: string): void;
  connected(isConnected: boolean): void;
  role(drives: boolean, free: boolean, clients: number): void;
  status(status: Status): void;
  answer(name: string, success: boolean, message: string): void;
  picture(eye: number, picture: ImageBitmap): void;
}

export class Link {
  private socket: WebSocket | null = null;
  private wait = 250; // [ms]
  drives = false;

  constructor(private readonly listener: Listener) {}

  async start(): Promise<void> {
    const code = location.hash.slice(1);
    if (code) history.replaceState(null, "", location.pathname);
    if (code && (await this.pair(code))) return;
    if (localStorage.getItem(TOKEN)) this.connect();
    else this.listener.pairingNeeded("");
  }

  async pair(code: string): Promise<boolean> {
    const reply = await fetch("pair", { method: "POST", body: JSON.stringify({ code }) });
    const { token, error } = await reply.json();
    if (!token) {
      this.listener.pairingNeeded(error);
      return false;
    }
    localStorage.setItem(TOKEN, token);
    this.connect();
    return true;
  }

  say(message: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  command(name: string, extra: object = {}): void {
    this.say({ type: "command", name, ...extra });
  }

  send(packet: ArrayBuffer): void {
    if (this.socket?.readyState === WebSocket.OPEN && this.socket.bufferedAmount < BACKLOG) this.socket.send(packet);
  }

  private connect(): void {
    const socket = new WebSocket(`wss://${location.host}/ws`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      socket.send(localStorage.getItem(TOKEN) ?? "");
      this.wait = 250;
      this.listener.connected(true);
    };
    socket.onmessage = (event) => void this.receive(event.data);
    socket.onclose = (event) => {
      this.drives = false;
      this.listener.connected(false);
      if (event.code === UNPAIRED) {
        localStorage.removeItem(TOKEN);
        this.listener.pairingNeeded("");
        return;
      }
      setTimeout(() => this.connect(), this.wait);
      this.wait = Math.min(2 * this.wait, 2000);
    };
  }

  private async receive(data: string | ArrayBuffer): Promise<void> {
    if (typeof data !== "string") {
      const eye = new Uint8Array(data)[0];
      try {
        this.listener.picture(eye, await createImageBitmap(new Blob([new Uint8Array(data, 1)], { type: "image/jpeg" })));
      } finally {
        this.say({ type: "shown", eye });
      }
      return;
    }
    const message = JSON.parse(data);
    switch (message.type) {
      case "ping":
        this.say({ type: "pong", asked: message.asked, now: performance.timeOrigin + performance.now() });
        break;
      case "role":
        this.drives = message.role === "drives";
        this.listener.role(this.drives, message.free, message.clients);
        break;
      case "status":
        this.listener.status(message);
        break;
      case "answer":
        this.listener.answer(message.name, message.success, message.message);
        break;
    }
  }
}
