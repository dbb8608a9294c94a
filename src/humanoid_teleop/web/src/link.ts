// SPDX-License-Identifier: Apache-2.0
// What headset and station say to each other: roles, clock questions, commands, pictures.
import { Connection } from "../../../humanoid_core/web/connection";

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
  private readonly connection: Connection;
  drives = false;

  constructor(private readonly listener: Listener) {
    this.connection = new Connection({
      pairingNeeded: (reason) => listener.pairingNeeded(reason),
      connected: (isConnected) => {
        if (!isConnected) this.drives = false;
        listener.connected(isConnected);
      },
      message: (message) => this.receive(message),
      bytes: async (eye, jpeg) => {
        listener.picture(eye, await createImageBitmap(new Blob([jpeg as BlobPart], { type: "image/jpeg" })));
      },
    });
  }

  start(): Promise<void> {
    return this.connection.start();
  }

  pair(code: string): Promise<boolean> {
    return this.connection.pair(code);
  }

  say(message: object): void {
    this.connection.say(message);
  }

  command(name: string, extra: object = {}): void {
    this.say({ type: "command", name, ...extra });
  }

  send(packet: ArrayBuffer): void {
    this.connection.send(packet, BACKLOG);
  }

  private receive(message: { type: string; [key: string]: any }): void {
    switch (message.type) {
      case "ping":
        this.say({ type: "pong", asked: message.asked, now: performance.timeOrigin + performance.now() });
        break;
      case "role":
        this.drives = message.role === "drives";
        this.listener.role(this.drives, message.free, message.clients);
        break;
      case "status":
        this.listener.status(message as Status);
        break;
      case "answer":
        this.listener.answer(message.name, message.success, message.message);
        break;
    }
  }
}
