// SPDX-License-Identifier: Apache-2.0
// A collector's day: sign in, pre-flight, and then trial after trial.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Reason, station, useKeys, useStation } from "./station";

const SETTLE = 600; // [ms] after a change of step: a pedal that bounces acts once
const REDO_KEYS = ["r", "F15"];

type Step = "sign in" | "preflight" | "trial" | "recording" | "busy" | "verdict";

export function Collect() {
  const { status, words } = useStation();
  const [cleared, setCleared] = useState(false); // the pre-flight table was accepted
  const [seen, setSeen] = useState(""); // the verdict that was read
  const [error, setError] = useState("");
  const [note, setNote] = useState("");
  const [redoing, setRedoing] = useState(false);
  const changed = useRef(0);
  const noteField = useRef<HTMLInputElement>(null);

  const verdict = status.verdict;
  const recorder = status.recording?.recorder;
  const step: Step = !status.operator
    ? "sign in"
    : recorder === "finalising" || verdict?.state === "waiting"
      ? "busy"
      : recorder === "recording"
        ? "recording"
        : verdict?.state === "checking"
          ? "busy"
          : verdict?.episode && verdict.episode !== seen
            ? "verdict"
            : cleared || verdict?.episode
              ? "trial"
              : "preflight";
  useEffect(() => {
    changed.current = Date.now();
    setError("");
    if (step === "trial") setNote("");
    setRedoing(false);
  }, [step]);

  const asking = useRef(new Set<string>());
  const ask = async (name: string, given: object = {}) => {
    if (asking.current.has(name)) return; // pressed twice
    asking.current.add(name);
    setError("");
    try {
      await station.ask(name, given);
    } catch (problem) {
      setError((problem as Error).message);
    }
    asking.current.delete(name);
  };
  const end = (outcome: string) => void ask("end", { outcome, note });
  const next = () => setSeen(verdict?.episode ?? "");
  const start = () => void ask("start");

  useKeys((key) => {
    if (key === "Escape") return void ask("stop"), true;
    if (Date.now() - changed.current < SETTLE) return true;
    const onward = key === " " || key === "Enter" || key === "PageDown" || key === "F13";
    const back = key === "f" || key === "PageUp" || key === "F14";
    if (step === "trial" && onward) return start(), true;
    if (step === "verdict" && onward) return next(), true;
    if (step === "recording" && (onward || key === "s")) return end("success"), true;
    if (step === "recording" && back) return end("failure"), true;
    if (step === "recording" && REDO_KEYS.includes(key)) return setRedoing(true), true;
    if (step === "recording" && redoing && /^[1-6]$/.test(key)) {
      return void ask("redo", { note: Object.keys(words.redoReasons)[Number(key) - 1] }), true;
    }
    if (key === "n" && noteField.current) return noteField.current.focus(), true;
    if (key === "e" && step === "trial") return void ask("engage"), true;
  });

  return (
    <main class="collect">
      <section class="view">
        <Picture>
          {step === "recording" && (
            <span class="recording"><i /> {words.recording} {seconds(status.recording?.duration ?? 0)}</span>
          )}
        </Picture>
        <Signals ask={(name) => void ask(name)} />
      </section>
      <aside class="card step" data-step={step}>
        {step === "sign in" && <SignIn />}
        {step === "preflight" && <Preflight go={() => setCleared(true)} />}
        {step === "trial" && (
          <TrialCard>
            <button id="start" class="primary big" onClick={start}>{words.start}<kbd>Space</kbd></button>
            <div class="row">
              <button onClick={() => void ask("skip")}>{words.another}</button>
              <button onClick={() => void ask("scene")}>{words.newScene}</button>
            </div>
          </TrialCard>
        )}
        {step === "recording" && (
          <TrialCard>
            {redoing ? (
              <div class="redo">
                <h3>{words.redoWhy}</h3>
                <div class="row wrap">
                  {Object.entries(words.redoReasons).map(([reason, text], index) => (
                    <button onClick={() => void ask("redo", { note: reason })}>{text}<kbd>{index + 1}</kbd></button>
                  ))}
                </div>
                <button class="quiet" onClick={() => setRedoing(false)}>{words.cancel}</button>
              </div>
            ) : (
              <>
                <button id="success" class="good big" onClick={() => end("success")}>
                  {words.success}<kbd>Space</kbd>
                </button>
                <div class="row">
                  <button id="failure" onClick={() => end("failure")}>{words.failure}<kbd>F</kbd></button>
                  <button id="redo" onClick={() => setRedoing(true)}>{words.redo}<kbd>R</kbd></button>
                </div>
                <input
                  ref={noteField} id="note" placeholder={words.noteHint} value={note} maxLength={2000}
                  onInput={(event) => setNote(event.currentTarget.value)}
                  onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
                />
              </>
            )}
          </TrialCard>
        )}
        {step === "busy" && (
          <div class="busy"><i class="spinner" /><p>{recorder === "finalising" || verdict?.state === "waiting" ? words.finalising : words.judging}</p></div>
        )}
        {step === "verdict" && <VerdictCard next={next} />}
        <p class="bad-text" role="alert">{error || status.problem}</p>
      </aside>
    </main>
  );
}

function Picture({ children }: { children: ComponentChildren }) {
  const { words, picture, status } = useStation();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [shown, setShown] = useState(Boolean(picture));
  useEffect(
    () =>
      station.watchPicture((image) => {
        const place = canvas.current!;
        if (place.width !== image.width || place.height !== image.height) {
          place.width = image.width;
          place.height = image.height;
        }
        place.getContext("2d")!.drawImage(image, 0, 0);
        setShown(true);
      }),
    [],
  );
  const state = status.safety ?? "";
  return (
    <div class="picture">
      <canvas id="picture" ref={canvas} width={640} height={480} />
      {!shown && <span class="nothing">{words.noPicture}</span>}
      <span class={`safety ${state}`}>{words.safety[state] ?? words.notThere}</span>
      {children}
    </div>
  );
}

function Signals({ ask }: { ask: (name: string) => void }) {
  const { status, words } = useStation();
  const { recording, sync, safety } = status;
  const lost = (recording?.lost ?? 0) + (recording?.dropped ?? 0);
  const facts: [string, string, string][] = [
    [words.follows, words.teleop[status.teleop ?? ""] ?? words.notThere, status.teleop ? "" : "faint"],
    [words.sync, sync ? (sync.warnings.length ? sync.warnings[0] : words.inStep) : words.notThere, sync?.warnings.length ? "warn" : ""],
    [words.lostMessages, String(lost), lost ? "warn" : ""],
    [words.disk, recording ? `${recording.free_gb.toFixed(0)} GB` : words.notThere, ""],
  ];
  const reason = safety !== "active" && safety !== "hold" ? status.reasons?.[0] : undefined;
  return (
    <div class="signals">
      <dl>
        {facts.map(([name, value, mood]) => (
          <div class={mood}><dt>{name}</dt><dd title={value}>{value}</dd></div>
        ))}
      </dl>
      <div class="row">
        {safety === "e_stop" ? (
          <button onClick={() => ask("reset")}>{words.reset}</button>
        ) : (
          <button onClick={() => ask("engage")} disabled={safety === "active"}>{words.engage}<kbd>E</kbd></button>
        )}
        <button class="stop" onClick={() => ask("stop")}>{words.stop}<kbd>Esc</kbd></button>
      </div>
      {reason && <p class="warn-text">{reason}</p>}
    </div>
  );
}

function SignIn() {
  const { words } = useStation();
  const [name, setName] = useState("");
  const [people, setPeople] = useState<string[]>([]);
  useEffect(() => void station.ask<string[]>("people").then(setPeople, () => {}), []);
  const enter = (who: string) => void station.ask("sign_in", { name: who }).catch(() => {});
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        enter(name);
      }}
    >
      <h1>{words.whoTitle}</h1>
      <input id="name" placeholder={words.name} value={name} maxLength={60} autoFocus onInput={(event) => setName(event.currentTarget.value)} />
      <button id="sign-in" class="primary big" disabled={!name.trim()}>{words.signIn}</button>
      <div class="people">
        {people.slice(0, 12).map((person) => (
          <button type="button" class="chip" onClick={() => enter(person)}>{person}</button>
        ))}
      </div>
    </form>
  );
}

function Preflight({ go }: { go: () => void }) {
  const { status, words } = useStation();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const table = status.preflight;
  const look = () => {
    setBusy(true);
    setError("");
    station
      .ask("preflight")
      .catch((problem: Error) => setError(problem.message))
      .finally(() => setBusy(false));
  };
  const order = { red: 0, yellow: 1, green: 2 };
  const rows = [...(table?.rows ?? [])].sort((a, b) => order[a.status] - order[b.status]);
  return (
    <>
      <h1>{words.preflight}</h1>
      {!table && <p class="soft">{words.preflightHint}</p>}
      {table && <p class={`ready ${table.passed ? "yes" : "no"}`}>{table.passed ? words.ready : words.notReady}</p>}
      <ul class="looked">
        {rows.map((row) => (
          <li class={row.status}>
            <i />
            <div>
              <b>{row.name}</b> <span>{row.found}</span>
              {row.status !== "green" && <p>{row.advice || `${words.expected} ${row.expected}`}</p>}
            </div>
          </li>
        ))}
      </ul>
      <p class="bad-text">{error}</p>
      {table?.passed && <button id="go" class="primary big" onClick={go}>{words.toTrial}</button>}
      <button id="check" class={table ? "" : "primary big"} onClick={look} disabled={busy}>
        {busy ? words.checking : table ? words.checkAgain : words.check}
      </button>
      {(error || (table && !table.passed)) && <button class="quiet" id="despite" onClick={go}>{words.despite}</button>}
    </>
  );
}

function TrialCard({ children }: { children: ComponentChildren }) {
  const { status, words, say, language } = useStation();
  const trial = status.trial;
  if (!trial) return <div class="busy"><i class="spinner" /></div>;
  return (
    <>
      <div class="task-line">
        {status.recording?.recorder === "recording" ? (
          <span class="task-name">{say(trial.task)}</span>
        ) : (
          <select value={trial.task} onChange={(event) => void station.ask("task", { name: event.currentTarget.value })}>
            {status.tasks?.map((task) => <option value={task.name}>{say(task.name, task.translations)}</option>)}
          </select>
        )}
        <span class="count"><b>{trial.done}</b> {words.of} {trial.target}</span>
      </div>
      <div class="bar"><i style={{ width: `${Math.min(100, (100 * trial.done) / Math.max(1, trial.target))}%` }} /></div>
      <h1 class={`instruction ${language}`}>{say(trial.instruction)}</h1>
      {trial.setup && <p class="hard"><b>{words.hardCase}</b>{say(trial.setup)}</p>}
      <Variations />
      <div class="actions">{children}</div>
    </>
  );
}

function Variations() {
  const { status, words, say } = useStation();
  const trial = status.trial!;
  return (
    <dl class="variations">
      {Object.entries(trial.tags).filter(([name]) => name !== "hard_case").map(([name, value]) => (
        <div>
          <dt>{say(name)}</dt>
          <dd>{say(value)}</dd>
          <small>{(trial.quotas[name]?.[value] ?? 0) - (trial.left[name]?.[value] ?? 0)} {words.of} {trial.quotas[name]?.[value]}</small>
        </div>
      ))}
    </dl>
  );
}

function VerdictCard({ next }: { next: () => void }) {
  const { status, words } = useStation();
  const verdict = status.verdict!;
  const failure = verdict.state === "passed" && !verdict.usable;
  const title = {
    passed: failure ? words.kept : words.accepted,
    rejected: words.rejected,
    unknown: words.unknown,
    redo: words.redo,
    waiting: "",
    checking: "",
  }[verdict.state];
  const mood = verdict.state === "passed" && !failure ? "good" : verdict.state === "rejected" ? "bad" : "plain";
  return (
    <>
      <div class={`verdict ${mood}`} data-verdict={verdict.state}>
        <h1>{title}</h1>
        {verdict.state === "passed" && <p>{failure ? words.failureKept : words.acceptedHint}</p>}
        {verdict.state === "redo" && <p>{words.redone}</p>}
        {verdict.error && <p>{verdict.error}</p>}
      </div>
      <ul class="reasons">
        {verdict.failed?.map((reason) => (
          <li><b>{words.checks[reason.name] ?? reason.name.replaceAll("_", " ")}</b><span>{detail(reason)}</span></li>
        ))}
      </ul>
      {status.trial && (
        <div class="coming">
          <h2>{words.comesNext}<span class="count"><b>{status.trial.done}</b> {words.of} {status.trial.target}</span></h2>
          {status.trial.setup && <p class="hard"><b>{words.hardCase}</b>{station.say(status.trial.setup)}</p>}
          <Variations />
        </div>
      )}
      <div class="actions">
        <button id="next" class="primary big" onClick={next}>{words.next}<kbd>Space</kbd></button>
      </div>
      {verdict.seconds !== undefined && (
        <p class="soft small">
          {words.judgedIn} {verdict.seconds.toFixed(1)} s
          {verdict.open?.length ? ` · ${words.notAssessed}: ${verdict.open.map((name) => name.replaceAll("_", " ")).join(", ")}` : ""}
        </p>
      )}
    </>
  );
}

function detail(reason: Reason): string {
  if (reason.measured === null || reason.limit === null) return reason.detail;
  const sign = reason.limit_is === "least" ? "≥" : "≤";
  return `${reason.detail} (${round(reason.measured)} ${reason.unit}, ${sign} ${round(reason.limit)})`;
}

const round = (value: number) => Number(value.toPrecision(3)).toString();

function seconds(value: number): string {
  return `${Math.floor(value / 60)}:${String(Math.floor(value % 60)).padStart(2, "0")}`;
}
