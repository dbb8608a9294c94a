// SPDX-License-Identifier: Apache-2.0
// Sub-task labels over the video, corrected with the keyboard.
import { useEffect, useRef, useState } from "preact/hooks";
import { boundaries, clear, interval, join, type Label, lanes, move, name as nameAt, split } from "./intervals";
import { station, useKeys, useStation } from "./station";

interface Listed {
  id: string; started: string; robot: string; task: string; operator: string; outcome: string; verdict: string; duration: number;
}
interface Opened extends Listed {
  cameras: Record<string, number[]>;
  checks: { name: string; detail: string }[];
  labels: Label[];
  revision: string;
}

const KEPT = 240; // pictures
const AHEAD = 6; // pictures asked for before they are needed

export function Labels({ episode }: { episode: string }) {
  const { words, say, status } = useStation();
  const [task, setTask] = useState("");
  const [rows, setRows] = useState<Listed[]>([]);
  const [opened, setOpened] = useState<Opened | null>(null);
  const [error, setError] = useState("");
  useEffect(() => {
    station.ask<{ rows: Listed[] }>("episodes", { limit: 100, ...(task && { task }) })
      .then((answer) => setRows(answer.rows), (problem: Error) => setError(problem.message));
  }, [task, status.verdict?.episode, status.verdict?.state]);
  useEffect(() => {
    setOpened(null);
    setError("");
    if (!episode) return;
    station.ask<Opened>("episode", { episode }).then(setOpened, (problem: Error) => setError(problem.message));
  }, [episode]);
  const translations = (name: string) => status.tasks?.find((one) => one.name === name)?.translations;
  return (
    <main class="labels">
      <aside class="episodes">
        <select value={task} onChange={(event) => setTask(event.currentTarget.value)}>
          <option value="">{words.allTasks}</option>
          {status.tasks?.map((one) => <option value={one.name}>{say(one.name, one.translations)}</option>)}
        </select>
        <ul>
          {rows.map((row) => (
            <li>
              <a href={`#/labels/${encodeURIComponent(row.id)}`} class={row.id === episode ? "here" : ""}>
                <i class={row.verdict === "failed" ? "failed" : row.outcome} title={words.verdicts[row.verdict]} />
                <b>{say(row.task, translations(row.task))}</b>
                <span>{row.started.slice(5, 16).replace("T", " ")} · {row.operator || row.robot} · {row.duration.toFixed(0)} s</span>
              </a>
            </li>
          ))}
          {!rows.length && <li class="soft">{words.noEpisodes}</li>}
        </ul>
      </aside>
      {opened ? (
        <Editor key={opened.id} opened={opened} />
      ) : (
        <p class="empty">{error || (episode ? <i class="spinner" /> : words.chooseEpisode)}</p>
      )}
    </main>
  );
}

function Editor({ opened }: { opened: Opened }) {
  const { words, say, status } = useStation();
  const task = status.tasks?.find((one) => one.name === opened.task);
  const known = opened.labels.map((one) => one.label);
  const names = [...new Set([...(task?.steps ?? []), ...known])].slice(0, 9);
  const topics = Object.keys(opened.cameras);
  const [camera, setCamera] = useState(topics.find((topic) => topic.includes("head")) ?? topics[0] ?? "");
  const stamps = opened.cameras[camera] ?? [];
  const [labels, setLabels] = useState(opened.labels);
  const [undo, setUndo] = useState<Label[][]>([]);
  const [revision, setRevision] = useState(opened.revision);
  const [saved, setSaved] = useState(opened.labels);
  const [time, setTime] = useState(0);
  const [chosen, setChosen] = useState<number | null>(null);
  const [playing, setPlaying] = useState(false);
  const [message, setMessage] = useState("");
  const [author, setAuthor] = useState(status.operator ?? "");
  const dirty = labels !== saved;
  const index = Math.max(0, last(stamps, time));

  useEffect(() => {
    if (!playing) return;
    let before = performance.now();
    let frame = requestAnimationFrame(function step(now) {
      setTime((at) => {
        const next = at + (now - before) / 1000;
        before = now;
        if (next >= opened.duration) setPlaying(false);
        return Math.min(next, opened.duration);
      });
      frame = requestAnimationFrame(step);
    });
    return () => cancelAnimationFrame(frame);
  }, [playing]);

  const change = (next: Label[]) => {
    if (next === labels) return;
    setUndo([...undo.slice(-99), labels]);
    setLabels(next);
    setMessage("");
  };
  const shift = (pictures: number) => {
    if (chosen === null || !stamps.length) return;
    const target = stamps[Math.min(stamps.length - 1, Math.max(0, nearest(stamps, chosen) + pictures))];
    const moved = move(labels, chosen, target, opened.duration);
    change(moved.labels);
    setChosen(moved.to);
    setTime(moved.to);
  };
  const save = async () => {
    try {
      const by = status.operator || author;
      const answer = await station.ask<{ labels: Label[]; revision: string }>("save", { episode: opened.id, labels, revision, author: by });
      setLabels(answer.labels);
      setSaved(answer.labels);
      setRevision(answer.revision);
      setUndo([]);
      setMessage(words.saved);
    } catch (problem) {
      setMessage((problem as Error).message);
    }
  };

  useKeys((key, event) => {
    const step = event.shiftKey ? 1 : 0;
    if (key === " ") setPlaying(!playing);
    else if (key === "ArrowRight" || key === "ArrowLeft") {
      const way = key === "ArrowRight" ? 1 : -1;
      setPlaying(false);
      const to = step ? time + way : (stamps[Math.min(stamps.length - 1, Math.max(0, index + way))] ?? time);
      setTime(Math.min(opened.duration, Math.max(0, to)));
    } else if (key === "Tab") {
      const all = boundaries(labels);
      if (!all.length) return false;
      const here = chosen === null ? (step ? all.length : -1) : all.findIndex((one) => Math.abs(one - chosen) < 1e-3);
      const to = all[(here + (step ? -1 : 1) + all.length) % all.length];
      setPlaying(false);
      setChosen(to);
      setTime(to);
    } else if (key === "," || key === "<") shift(event.shiftKey ? -10 : -1);
    else if (key === "." || key === ">") shift(event.shiftKey ? 10 : 1);
    else if (key === "b" || key === "B") {
      change(split(labels, time));
      setChosen(time);
    } else if ((key === "Delete" || key === "Backspace") && chosen !== null) {
      change(join(labels, chosen));
      setChosen(null);
    } else if (/^[1-9]$/.test(key) && names[Number(key) - 1]) change(nameAt(labels, time, names[Number(key) - 1], opened.duration));
    else if (key === "0") change(clear(labels, time));
    else if ((key === "u" || key === "U") && undo.length) {
      setLabels(undo[undo.length - 1]);
      setUndo(undo.slice(0, -1));
    } else if (key === "Enter" && dirty) void save();
    else return false;
    return true;
  });

  const here = interval(labels, time);
  const hue = (text: string) => `hue-${Math.max(0, names.indexOf(text)) % 6}`;
  const rows = lanes(labels);
  const height = 1 + Math.max(0, ...rows.map((row) => row.lane));
  const share = (seconds: number) => `${(100 * seconds) / Math.max(opened.duration, 1e-3)}%`;
  return (
    <section class="editor">
      <div class="film">
        <Film episode={opened.id} camera={camera} index={index} count={stamps.length} />
        <span class="clock">{time.toFixed(2)} <small>/ {opened.duration.toFixed(1)} s</small></span>
        {here && <span class={`now ${hue(here.label)}`}>{say(here.label, task?.translations)}</span>}
        {topics.length > 1 && (
          <select value={camera} title={words.camera} onChange={(event) => setCamera(event.currentTarget.value)}>
            {topics.map((topic) => <option value={topic}>{topic.split("/")[1].replaceAll("_", " ")}</option>)}
          </select>
        )}
      </div>
      <div
        class="timeline" style={{ "--lanes": height }}
        onPointerDown={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          setTime(Math.min(opened.duration, Math.max(0, ((event.clientX - box.left) / box.width) * opened.duration)));
          setPlaying(false);
        }}
      >
        {rows.map(({ label, lane }) =>
          label.end === null ? (
            <i class="instant" style={{ left: share(label.start) }} title={label.label} />
          ) : (
            <span
              class={`block ${hue(label.label)} ${label === here ? "here" : ""} ${label.author === "proposal" ? "proposed" : ""}`}
              style={{ left: share(label.start), width: share(label.end - label.start), "--lane": lane }}
              title={`${label.label}, ${words.by} ${label.author}`}
            >
              {say(label.label, task?.translations)}
            </span>
          ),
        )}
        {boundaries(labels).map((at) => (
          <button
            class={`boundary ${chosen !== null && Math.abs(at - chosen) < 1e-3 ? "chosen" : ""}`} style={{ left: share(at) }}
            tabIndex={-1} aria-label={at.toFixed(2)}
            onPointerDown={(event) => {
              event.stopPropagation();
              setChosen(at);
              setTime(at);
            }}
          />
        ))}
        <i class="head" style={{ left: share(time) }} />
      </div>
      <div class="tools">
        <div class="names">
          {names.map((text, number) => (
            <button class={`chip ${hue(text)}`} onClick={() => change(nameAt(labels, time, text, opened.duration))}>
              <kbd>{number + 1}</kbd>{say(text, task?.translations)}
            </button>
          ))}
        </div>
        <span class="saving">
          <span class="soft">{message || (dirty ? words.unsaved : "")}</span>
          {!status.operator && (
            <input class="author" placeholder={words.author} value={author} maxLength={60} onInput={(event) => setAuthor(event.currentTarget.value)} />
          )}
          <button id="save" class="primary" disabled={!dirty || !(status.operator || author)} onClick={() => void save()}>
            {words.save}<kbd>Enter</kbd>
          </button>
        </span>
      </div>
      <dl class="help" aria-label={words.keysTitle}>
        {words.keys.map(([keys, what]) => <div><dt>{keys}</dt><dd>{what}</dd></div>)}
      </dl>
    </section>
  );
}

/** Pictures of an episode, asked for a little ahead and kept. */
function Film({ episode, camera, index, count }: { episode: string; camera: string; index: number; count: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const wanted = useRef({ index, camera });
  wanted.current = { index, camera };
  const kept = useRef(new Map<string, ImageBitmap | null>());
  const draw = () => {
    const picture = kept.current.get(`${wanted.current.camera}#${wanted.current.index}`);
    const place = canvas.current;
    if (!picture || !place) return;
    if (place.width !== picture.width) place.width = picture.width;
    if (place.height !== picture.height) place.height = picture.height;
    place.getContext("2d")!.drawImage(picture, 0, 0);
    place.dataset.index = String(wanted.current.index);
  };
  useEffect(() => {
    draw();
    for (let ahead = index; ahead <= Math.min(index + AHEAD, count - 1); ahead += 1) {
      const key = `${camera}#${ahead}`;
      if (kept.current.has(key)) continue;
      kept.current.set(key, null);
      station.ask<ImageBitmap>("picture", { episode, camera, index: ahead }).then(
        (picture) => {
          kept.current.set(key, picture);
          if (kept.current.size > KEPT) {
            const [oldest, gone] = kept.current.entries().next().value!;
            gone?.close();
            kept.current.delete(oldest);
          }
          draw();
        },
        () => kept.current.delete(key),
      );
    }
  }, [episode, camera, index, count]);
  return <canvas id="film" ref={canvas} width={640} height={480} />;
}

/** Index of the last stamp that is not after a time; -1 where none is. */
function last(stamps: number[], time: number): number {
  let low = 0, high = stamps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stamps[middle] <= time + 1e-6) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function nearest(stamps: number[], time: number): number {
  const before = Math.max(0, last(stamps, time));
  return before + 1 < stamps.length && stamps[before + 1] - time < time - stamps[before] ? before + 1 : before;
}
