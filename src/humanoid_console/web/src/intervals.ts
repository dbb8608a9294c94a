// SPDX-License-Identifier: Apache-2.0
// Labels as intervals, and what a person does to them. Every function gives new labels and leaves the old as they are.

export interface Label {
  start: number; // [s] since the episode's start
  end: number | null; // null: an instant
  start_ns?: string; // as it stands in the episode, where nobody moved it
  end_ns?: string;
  label: string;
  author: string;
  tool: string;
  note: string;
}
type Interval = Label & { end: number };

export const SHORTEST = 0.1; // [s], as in humanoid_dataset/labels.py
const SAME = 5e-4; // [s]

const isInterval = (label: Label): label is Interval => label.end !== null;
const at = (a: number, b: number) => Math.abs(a - b) < SAME;

export function boundaries(labels: Label[]): number[] {
  const all = labels.filter(isInterval).flatMap((one) => [one.start, one.end]).sort((a, b) => a - b);
  return all.filter((time, index) => index === 0 || !at(time, all[index - 1]));
}

/** The interval at a time; where several overlap, the one that began last. */
export function interval(labels: Label[], time: number): Interval | undefined {
  return labels.filter(isInterval).filter((one) => one.start <= time + SAME && time < one.end - SAME).sort((a, b) => b.start - a.start)[0];
}

export function move(labels: Label[], boundary: number, to: number, length: number): { labels: Label[]; to: number } {
  const ends = labels.filter(isInterval).filter((one) => at(one.end, boundary));
  const begins = labels.filter(isInterval).filter((one) => at(one.start, boundary));
  const low = Math.max(0, ...ends.map((one) => one.start + SHORTEST));
  const high = Math.min(length, ...begins.map((one) => one.end - SHORTEST));
  if (low > high) return { labels, to: boundary };
  const time = Math.min(high, Math.max(low, to));
  return {
    to: time,
    labels: labels.map((one) => {
      if (!isInterval(one)) return one;
      if (at(one.end, boundary)) return { ...one, end: time, end_ns: undefined };
      if (at(one.start, boundary)) return { ...one, start: time, start_ns: undefined };
      return one;
    }),
  };
}

export function split(labels: Label[], time: number): Label[] {
  const inside = interval(labels, time);
  if (!inside || time - inside.start < SHORTEST || inside.end - time < SHORTEST) return labels;
  const second = { ...inside, start: time, start_ns: undefined };
  return labels.flatMap((one) => (one === inside ? [{ ...inside, end: time, end_ns: undefined }, second] : [one]));
}

/** Takes a boundary away: the interval before it goes on; one that nothing follows or precedes goes. */
export function join(labels: Label[], boundary: number): Label[] {
  const before = labels.find((one) => isInterval(one) && at(one.end, boundary));
  const after = labels.find((one) => isInterval(one) && at(one.start, boundary));
  if (before && after) {
    const whole = { ...before, end: after.end, end_ns: after.end_ns };
    return labels.flatMap((one) => (one === before ? [whole] : one === after ? [] : [one]));
  }
  return labels.filter((one) => one !== (before ?? after));
}

/** Names the interval at a time; where there is none, makes one from boundary to boundary. */
export function name(labels: Label[], time: number, label: string, length: number): Label[] {
  const inside = interval(labels, time);
  if (inside) return labels.map((one) => (one === inside ? { ...one, label } : one));
  const all = boundaries(labels);
  const start = Math.max(0, ...all.filter((one) => one <= time + SAME));
  const end = Math.min(length, ...all.filter((one) => one > time + SAME));
  if (end - start < SHORTEST) return labels;
  const made: Label = { start, end, label, author: "", tool: "", note: "" };
  return [...labels, made].sort((a, b) => a.start - b.start);
}

export function clear(labels: Label[], time: number): Label[] {
  const inside = interval(labels, time);
  return labels.filter((one) => one !== inside);
}

/** Rows to draw intervals in, so that none covers another. */
export function lanes(labels: Label[]): { label: Label; lane: number }[] {
  const free: number[] = [];
  return [...labels].sort((a, b) => a.start - b.start).map((label) => {
    if (label.end === null) return { label, lane: 0 };
    let lane = free.findIndex((until) => until <= label.start + SAME);
    if (lane < 0) lane = free.length;
    free[lane] = label.end;
    return { label, lane };
  });
}
