// SPDX-License-Identifier: Apache-2.0
// What the station tells, and how it is asked: one store that every part of the page reads.
import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import { Connection } from "../../../humanoid_core/web/connection";
import { type Language, type Words, words } from "./words";

export interface Trial {
  task: string;
  instruction: string;
  scenario: string;
  steps: string[];
  target: number;
  done: number;
  tags: Record<string, string>;
  setup: string;
  quotas: Record<string, Record<string, number>>;
  left: Record<string, Record<string, number>>;
  translations: Translations;
}
export type Translations = Record<string, Record<string, string>>;
export interface Row { name: string; status: "green" | "yellow" | "red"; found: string; expected: string; advice: string }
export interface Reason { name: string; detail: string; measured: number | null; limit: number | null; unit: string; limit_is: string }
export interface Verdict {
  state: "waiting" | "checking" | "passed" | "rejected" | "unknown" | "redo";
  episode?: string;
  outcome?: string;
  usable?: boolean;
  seconds?: number;
  failed?: Reason[];
  open?: string[];
  error?: string;
}
export interface Recording {
  recorder: string; duration: number; task: string; episode: string; message: string;
  megabytes: number; free_gb: number; lost: number; dropped: number;
}
export interface Status {
  robot?: string;
  model?: string;
  operator?: string;
  tasks?: { name: string; steps: string[]; translations: Translations }[];
  trial?: Trial;
  preflight?: { passed: boolean; rows: Row[]; at: number };
  recording?: Recording;
  verdict?: Verdict;
  safety?: string;
  reasons?: string[];
  teleop?: string;
  teleop_message?: string;
  sync?: { streams: number; frames: number; warnings: string[] };
  problem?: string;
}

const LANGUAGE = "humanoid-language";
type Phase = "starting" | "pairing" | "connected" | "lost";
type Pending = { done: (value: any) => void; failed: (error: Error) => void };

class Station {
  status: Status = {};
  phase: Phase = "starting";
  pairingError = "";
  language: Language;
  picture: ImageBitmap | null = null;
  private readonly connection: Connection;
  private readonly pending = new Map<number, Pending>();
  private readonly watchers = new Set<() => void>();
  private readonly pictureWatchers = new Set<(picture: ImageBitmap) => void>();
  private number = 0;

  constructor() {
    const kept = localStorage.getItem(LANGUAGE) as Language | null;
    this.language = kept ?? (navigator.language.startsWith("zh") ? "zh" : "en");
    this.connection = new Connection({
      pairingNeeded: (reason) => this.set("pairing", reason),
      connected: (isConnected) => {
        if (!isConnected) this.fail("the connection was lost");
        if (isConnected || this.phase !== "pairing") this.set(isConnected ? "connected" : "lost");
      },
      message: (message) => this.receive(message),
      bytes: (number, data) => this.takeBytes(number, data),
    });
  }

  start = (): Promise<void> => this.connection.start();
  pair = (code: string): Promise<boolean> => this.connection.pair(code.trim());

  ask<T = unknown>(name: string, given: object = {}): Promise<T> {
    const id = (this.number = (this.number + 1) % 2 ** 32);
    return new Promise<T>((done, failed) => {
      this.pending.set(id, { done, failed });
      if (!this.connection.say({ type: "ask", id, name, arguments: given })) {
        this.pending.delete(id);
        failed(new Error(this.words.lost));
      }
    });
  }

  get words(): Words {
    return words[this.language];
  }

  setLanguage(language: Language): void {
    this.language = language;
    localStorage.setItem(LANGUAGE, language);
    document.documentElement.lang = language;
    this.tell();
  }

  /** Words of a task file: translated where it has a translation, else without underscores. */
  say = (text: string, translations?: Translations): string =>
    (translations ?? this.status.trial?.translations)?.[this.language]?.[text] ?? text.replaceAll("_", " ");

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  watchPicture(watcher: (picture: ImageBitmap) => void): () => void {
    this.pictureWatchers.add(watcher);
    if (this.picture) watcher(this.picture);
    return () => this.pictureWatchers.delete(watcher);
  }

  private set(phase: Phase, reason = ""): void {
    this.phase = phase;
    this.pairingError = reason;
    this.tell();
  }

  private tell(): void {
    for (const watcher of this.watchers) watcher();
  }

  private receive(message: { type: string; [key: string]: any }): void {
    if (message.type === "status") {
      const { type: _, ...values } = message;
      Object.assign(this.status, values);
      this.tell();
    } else if (message.type === "answer") {
      const waiting = this.pending.get(message.id);
      this.pending.delete(message.id);
      if (message.success) waiting?.done(message.value);
      else waiting?.failed(new Error(message.message));
    }
  }

  private async takeBytes(number: number, data: Uint8Array): Promise<void> {
    if (number === 255) {
      const id = new DataView(data.buffer, data.byteOffset).getUint32(0, true);
      const waiting = this.pending.get(id);
      this.pending.delete(id);
      waiting?.done(await createImageBitmap(new Blob([data.slice(4)])));
      return;
    }
    const picture = await createImageBitmap(new Blob([data as BlobPart], { type: "image/jpeg" }));
    this.picture?.close();
    this.picture = picture;
    for (const watcher of this.pictureWatchers) watcher(picture);
  }

  private fail(reason: string): void {
    for (const waiting of this.pending.values()) waiting.failed(new Error(reason));
    this.pending.clear();
  }
}

export const station = new Station();

/** Draws a component anew whenever the station tells something. */
export function useStation(): Station {
  const [, draw] = useState(0);
  useEffect(() => {
    const again = () => draw((count) => count + 1);
    again(); // something may have been told before this component was there
    return station.watch(again);
  }, []);
  return station;
}

/** Acts on keys, also those of a foot pedal; not while somebody types. */
export function useKeys(act: (key: string, event: KeyboardEvent) => boolean | void): void {
  // In the layout's effect, not after the next frame: the next key must meet what this one has changed.
  useLayoutEffect(() => {
    const press = (event: KeyboardEvent) => {
      const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      if (act(event.key, event)) event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
}
