// SPDX-License-Identifier: Apache-2.0
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import "./style.css";
import { Collect } from "./collect";
import { Labels } from "./labels";
import { station, useStation } from "./station";
import { Workload } from "./workload";

const PAGES = ["collect", "labels", "workload"] as const;

function useAddress(): string[] {
  const [address, setAddress] = useState(location.hash);
  useEffect(() => {
    const changed = () => setAddress(location.hash);
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return address.replace(/^#\/?/, "").split("/");
}

function Pairing() {
  const { words, pairingError } = useStation();
  const [code, setCode] = useState("");
  return (
    <form
      class="gate card"
      onSubmit={(event) => {
        event.preventDefault();
        void station.pair(code);
      }}
    >
      <h1>{words.pairTitle}</h1>
      <p class="soft">{words.pairHint}</p>
      <input
        id="code" class="code" inputMode="numeric" autocomplete="off" maxLength={6} autoFocus
        value={code} onInput={(event) => setCode(event.currentTarget.value)}
      />
      <button class="primary">{words.pair}</button>
      <p class="bad-text" role="alert">{pairingError}</p>
    </form>
  );
}

function App() {
  const { phase, words, status, language } = useStation();
  const [page = "collect", item] = useAddress();
  const shown = PAGES.includes(page as (typeof PAGES)[number]) ? page : "collect";
  useEffect(() => {
    document.documentElement.lang = language;
    document.documentElement.dataset.theme = shown === "workload" ? "hall" : "desk";
  }, [shown, language]);
  if (phase === "starting") return null;
  if (phase === "pairing") return <Pairing />;
  return (
    <>
      <header>
        <span class="robot-name">{status.robot}</span>
        <nav>
          {PAGES.map((name) => (
            <a href={`#/${name}`} class={name === shown ? "here" : ""}>{words[name]}</a>
          ))}
        </nav>
        <span class="right">
          {phase === "lost" && <span class="lost">{words.lost}</span>}
          {status.operator && (
            <button class="quiet" onClick={() => void station.ask("sign_out")} title={words.signOut}>
              <b>{status.operator}</b> · {words.signOut}
            </button>
          )}
          <button class="quiet" id="language" onClick={() => station.setLanguage(language === "en" ? "zh" : "en")}>
            {words.language}
          </button>
        </span>
      </header>
      {shown === "collect" && <Collect />}
      {shown === "labels" && <Labels episode={item ? decodeURIComponent(item) : ""} />}
      {shown === "workload" && <Workload />}
    </>
  );
}

render(<App />, document.getElementById("app")!);
void station.start();
