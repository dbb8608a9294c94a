// SPDX-License-Identifier: Apache-2.0
// The hall's screen: today at a glance, every collector and robot, and how the last days went.
import { useEffect, useState } from "preact/hooks";
import { station, useStation } from "./station";

interface Figures {
  trials: number; usable: number; usable_hours: number; success: number; rejected: number; drops: number; last: string;
}
interface Live { recorder?: string; safety?: string; duration?: number; free_gb?: number; lost?: number; dropped?: number }
interface Hall {
  at: string;
  total: Figures & { redos: number };
  collectors: (Figures & { name: string; robot: string })[];
  robots: (Figures & { name: string; operator: string; redos: number; live: Live | null })[];
  hours: number[];
  days: { day: string; episodes: number; usable: number; usable_hours: number }[];
  redo_reasons: Record<string, number>;
  rejected_by: Record<string, number>;
  unchecked: number;
}

const EVERY = 4000; // [ms]
const LOW_DISK = 20; // [GB]
const GOOD = 0.85; // a yield from here on is good, below POOR it needs somebody
const POOR = 0.7;

export function Workload() {
  const { words, phase } = useStation();
  const [hall, setHall] = useState<Hall | null>(null);
  useEffect(() => {
    const look = () => void station.ask<Hall>("workload").then(setHall, () => {});
    look();
    const timer = setInterval(look, EVERY);
    return () => clearInterval(timer);
  }, [phase]);
  if (!hall) return <main class="hall"><i class="spinner" /></main>;
  const { total } = hall;
  const part = (count: number) => (total.trials ? `${Math.round((100 * count) / total.trials)}` : "–");
  const recording = hall.robots.filter((robot) => robot.live?.recorder === "recording").length;
  const notes = attention(hall, words);
  return (
    <main class="hall">
      <section class="headline">
        <Number value={String(total.trials)} name={words.trialsToday} id="trials" />
        <Number value={total.usable_hours.toFixed(1)} unit={words.hoursShort} name={words.usableHours} />
        <Number value={part(total.usable)} unit="%" name={words.yield} />
        <Number value={part(total.success)} unit="%" name={words.successRate} />
        <Number value={String(recording)} unit={`/ ${hall.robots.length}`} name={words.recordingNow} />
        <Number value={String(hall.unchecked)} name={words.queue} />
        <Number value={String(total.drops)} name={words.lostToday} />
        <time>{hall.at.slice(11, 16)}<small> UTC</small></time>
      </section>
      <section class="people-grid" aria-label={words.collectors}>
        {hall.collectors.map((one) => {
          const live = hall.robots.find((robot) => robot.name === one.robot)?.live;
          return (
            <div class={`person ${live?.recorder === "recording" ? "busy-now" : ""}`}>
              <b>{one.name || "–"}</b>
              <span class="count">{one.trials}</span>
              <small>{one.robot.replaceAll("_", " ")}</small>
              <span class={`share ${mood(one.usable, one.trials)}`}>{Math.round((100 * one.usable) / Math.max(1, one.trials))} %</span>
              <i><i class={mood(one.usable, one.trials)} style={{ width: `${(100 * one.usable) / Math.max(1, one.trials)}%` }} /></i>
            </div>
          );
        })}
      </section>
      <section class="robot-grid" aria-label={words.robots}>
        {hall.robots.map((robot) => (
          <div class={state(robot.live)} title={`${robot.trials} · ${robot.live?.free_gb?.toFixed(0) ?? "–"} GB`}>
            <b>{robot.name.replaceAll("_", " ")}</b>
            <small>{robot.live ? `${robot.live.free_gb?.toFixed(0) ?? "–"} GB` : words.silent}</small>
          </div>
        ))}
      </section>
      <aside class="side">
        <div class="panel">
          <h2>{words.attention}</h2>
          {notes.length ? (
            <ul class="notes">
              {notes.slice(0, 5).map(([who, what, level]) => <li class={level}><b>{who}</b><span>{what}</span></li>)}
            </ul>
          ) : (
            <p class="good-text">{words.quiet}</p>
          )}
        </div>
        <div class="panel">
          <h2>{words.days}</h2>
          <Bars values={hall.days.map((day) => day.usable_hours)} names={hall.days.map((day) => day.day.slice(8))} digits={1} />
        </div>
        <div class="panel">
          <h2>{words.hours}</h2>
          <Bars values={hall.hours} names={hall.hours.map((_, hour) => (hour % 6 ? "" : String(hour)))} digits={0} />
        </div>
        <div class="panel two">
          <div><h2>{words.rejectedBy}</h2><Causes counts={hall.rejected_by} say={(key) => words.checks[key] ?? key.replaceAll("_", " ")} /></div>
          <div><h2>{words.redos}</h2><Causes counts={hall.redo_reasons} say={(key) => words.redoReasons[key] ?? key} /></div>
        </div>
      </aside>
    </main>
  );
}

function Number({ value, unit, name, id }: { value: string; unit?: string; name: string; id?: string }) {
  return <div class="number" id={id}><b>{value}{unit && <small>{unit}</small>}</b><span>{name}</span></div>;
}

function Bars({ values, names, digits }: { values: number[]; names: string[]; digits: number }) {
  const most = Math.max(1e-9, ...values);
  const top = values.indexOf(most);
  return (
    <div class="bars">
      {values.map((value, index) => (
        <div>
          <span class="over">{(index === top || index === values.length - 1) && value > 0 ? value.toFixed(digits) : ""}</span>
          <i class={index === values.length - 1 ? "last" : ""} style={{ height: `${(100 * value) / most}%` }} />
          <span>{names[index]}</span>
        </div>
      ))}
    </div>
  );
}

function Causes({ counts, say }: { counts: Record<string, number>; say: (key: string) => string }) {
  const { words } = useStation();
  const rows = Object.entries(counts).sort((a, b) => b[1] - a[1]).slice(0, 4);
  if (!rows.length) return <p class="soft">{words.none}</p>;
  return <ol class="causes">{rows.map(([key, count]) => <li><b>{count}</b><span>{say(key)}</span></li>)}</ol>;
}

function mood(usable: number, trials: number): string {
  const share = trials ? usable / trials : 1;
  return share >= GOOD ? "good" : share >= POOR ? "fair" : "poor";
}

function state(live: Live | null): string {
  if (!live) return "silent";
  if (live.safety === "e_stop" || live.recorder === "error" || (live.free_gb ?? LOW_DISK) < LOW_DISK) return "poor";
  return live.recorder === "recording" ? "recording" : "idle";
}

/** Who needs somebody to come, the worst first: name, why, how bad. */
function attention(hall: Hall, words: ReturnType<typeof useStation>["words"]): [string, string, string][] {
  const found: [string, string, string][] = [];
  const name = (text: string) => text.replaceAll("_", " ");
  for (const { name: robot, live } of hall.robots) {
    if (!live) continue;
    if (live.safety === "e_stop") found.push([name(robot), words.safety.e_stop, "poor"]);
    if (live.recorder === "error") found.push([name(robot), words.unknown, "poor"]);
    if (live.free_gb !== undefined && live.free_gb < LOW_DISK) found.push([name(robot), `${words.low}: ${live.free_gb.toFixed(0)} GB`, "poor"]);
    const lost = (live.lost ?? 0) + (live.dropped ?? 0);
    if (live.recorder === "recording" && lost) found.push([name(robot), `${words.dropping}: ${lost}`, "fair"]);
  }
  const poor = hall.collectors.filter((one) => one.trials >= 5 && one.usable / one.trials < POOR).sort((a, b) => a.usable / a.trials - b.usable / b.trials);
  for (const one of poor) found.push([one.name, `${words.yield} ${Math.round((100 * one.usable) / one.trials)} %`, "fair"]);
  return found.sort((a, b) => (a[2] === b[2] ? 0 : a[2] === "poor" ? -1 : 1));
}
