// SPDX-License-Identifier: Apache-2.0
import "./style.css";
import { readHands } from "./hands";
import { Link, type Status } from "./link";
import { RECENTRED, Validity, VISIBLE, write } from "./packet";
import { Room } from "./room";

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const canvases = ["left", "right"].map((id) => element<HTMLCanvasElement>(id));
const room = new Room(canvases);
const seen: Status = {};
let session: XRSession | null = null;
let sequence = 0;
let follow = false; // bare hands: touched "Follow"
let pedal = false;
let recentred = false;
let nextLabel = 0;

const link = new Link({
  pairingNeeded(reason) {
    element("pairing").hidden = false;
    element("station").hidden = true;
    element("pairing-error").textContent = reason;
    element("code").focus();
  },
  connected(isConnected) {
    element("pairing").hidden = true;
    element("station").hidden = false;
    follow = false;
    if (isConnected && session) link.say({ type: "drive" }); // the controls are still theirs
    if (!isConnected) element("role").textContent = "Connection lost, trying again …";
    showInHeadset();
  },
  role(drives, free, clients) {
    const others = clients > 1 ? `, ${clients} browsers` : "";
    element("role").textContent = (drives ? "You drive" : free ? "Nobody drives" : "You watch") + others;
    element<HTMLButtonElement>("enter").disabled = !drives && !free;
    for (const button of element("commands").querySelectorAll("button")) button.disabled = !drives;
    showInHeadset();
  },
  status(status) {
    Object.assign(seen, status);
    if (status.labels) makeButtons();
    if (status.cameras) {
      canvases[1].hidden = status.cameras.length < 2;
      room.setStereo(status.cameras.length > 1);
    }
    showStatus();
    showInHeadset();
  },
  answer(name, success, message) {
    element("answer").textContent = success ? "" : `${name}: ${message}`;
    showInHeadset();
  },
  picture(eye, picture) {
    const canvas = canvases[eye];
    if (canvas.width !== picture.width || canvas.height !== picture.height) {
      canvas.width = picture.width;
      canvas.height = picture.height;
      room.pictureResized(eye);
    }
    canvas.getContext("2d")!.drawImage(picture, 0, 0);
    room.showPicture(eye, picture.width, picture.height);
    picture.close();
  },
});

// --- buttons ---

function record(): void {
  link.command(seen.recorder === "recording" ? "success" : "record");
}

function label(): void {
  const labels = seen.labels ?? [];
  if (labels.length) link.command("annotate", { label: labels[nextLabel++ % labels.length] });
}

function makeButtons(): void {
  const commands: [string, () => void, string?][] = [
    ["Stop", () => link.command("stop"), "stop"],
    ["Engage", () => link.command("engage")],
    ["Reset", () => link.command("reset")],
    ["Recentre", recentre],
    ["Record", () => link.command("record")],
    ["Success", () => link.command("success")],
    ["Failure", () => link.command("failure")],
    ...(seen.labels ?? []).map((text): [string, () => void] => [text, () => link.command("annotate", { label: text })]),
  ];
  element("commands").replaceChildren(
    ...commands.map(([text, press, style]) => {
      const button = document.createElement("button");
      button.textContent = text;
      button.className = style ?? "";
      button.disabled = !link.drives;
      button.onclick = press;
      return button;
    }),
  );
}

function recentre(): void {
  follow = false;
  room.forget();
  link.command("recentre");
}

room.addButton("Follow", 0x2d6cdf, () => {
  follow = !follow;
  if (follow && seen.safety !== "active") link.command("engage");
  showInHeadset();
});
room.addButton("Stop", 0xc22f2f, () => {
  follow = false;
  link.command("stop");
});
room.addButton("Record / good", 0x2f8f4e, record);
room.addButton("Failure", 0x8a6d1a, () => link.command("failure"));
room.addButton("Label", 0x55606b, label);
room.addButton("Recentre", 0x55606b, recentre);

// --- what there is to see ---

function summary(): [string, string][] {
  const off = Object.entries(seen.errors ?? {}).map(([name, mm]) => `${name} ${mm} mm`).join(", ");
  const clock = seen.clock?.offset === undefined ? "" : `${seen.clock.offset.toFixed(1)} ± ${seen.clock.uncertainty?.toFixed(1)} ms`;
  return [
    ["Robot", [seen.safety ?? "not there", ...(seen.safety === "active" ? [] : (seen.reasons ?? []))].join(": ")],
    ["Following", [seen.teleop ?? "not there", seen.teleop_message].filter(Boolean).join(": ")],
    ["Off by", off],
    ["Recorder", seen.recorder === "recording" ? `recording ${seen.duration} s` : (seen.recorder ?? "not there")],
    ["Headset", `${(seen.rate ?? 0).toFixed(0)} Hz, ${seen.dropped ?? 0} dropped`],
    ["Clock", clock],
  ];
}

function showStatus(): void {
  element("status").replaceChildren(
    ...summary().flatMap(([name, value]) => {
      const term = document.createElement("dt"), text = document.createElement("dd");
      term.textContent = name;
      text.textContent = value;
      return [term, text];
    }),
  );
}

function showInHeadset(): void {
  const [robot, following, , recorder] = summary();
  const hand = follow ? "FOLLOWING YOUR HANDS" : element("role").textContent ?? "";
  room.showText([`${hand}   ${recorder[1]}`, `Robot ${robot[1]}`, `Arms ${following[1]}`, element("answer").textContent ?? ""]);
}

// --- the headset ---

async function enter(): Promise<void> {
  if (!navigator.xr || !(await navigator.xr.isSessionSupported("immersive-vr"))) {
    element("answer").textContent = "This browser has no headset.";
    return;
  }
  link.say({ type: "drive" });
  const started = await navigator.xr.requestSession("immersive-vr", {
    requiredFeatures: ["local-floor"],
    optionalFeatures: ["hand-tracking"],
  });
  session = started;
  room.forget();
  const space = await started.requestReferenceSpace("local-floor");
  space.onreset = () => {
    recentred = true;
    follow = false;
    room.forget();
  };
  started.onvisibilitychange = () => { if (started.visibilityState !== "visible") follow = false; };
  started.onend = () => {
    session = null;
    follow = false;
    room.renderer.setAnimationLoop(null);
    link.say({ type: "release" });
  };
  room.renderer.xr.setReferenceSpaceType("local-floor");
  await room.renderer.xr.setSession(started);
  room.renderer.setAnimationLoop((time, frame) => frame && onFrame(started, frame, space, time));
}

let buttonsBefore = 0;

function onFrame(active: XRSession, frame: XRFrame, space: XRReferenceSpace, time: number): void {
  const viewer = frame.getViewerPose(space);
  const visible = active.visibilityState === "visible";
  const { hands, pointers } = readHands(active, frame, space, follow && visible, pedal && visible);
  if (follow && [hands.left, hands.right].every((hand) => hand.validity === Validity.Lost)) follow = false;
  link.send(
    write({
      flags: (visible ? VISIBLE : 0) | (recentred ? RECENTRED : 0),
      headValidity: !viewer ? Validity.Lost : viewer.emulatedPosition ? Validity.Inferred : Validity.Tracked,
      sequence: sequence++,
      time: performance.timeOrigin + time,
      head: viewer?.transform ?? null,
      left: hands.left,
      right: hands.right,
    }),
  );
  recentred = false;
  // A and X, B and Y: bits 2 and 3 of either hand (the fifth and sixth button of the gamepad).
  const buttons = hands.left.buttons | hands.right.buttons;
  const pressed = buttons & ~buttonsBefore;
  if (pressed & 4) record();
  if (pressed & 8) label();
  buttonsBefore = buttons;
  room.render(viewer?.transform ?? null, pointers);
}

element("enter").onclick = () => void enter().catch((error: Error) => { element("answer").textContent = error.message; });
element<HTMLFormElement>("pairing").onsubmit = (event) => {
  event.preventDefault();
  void link.pair(element<HTMLInputElement>("code").value);
};
addEventListener("keydown", (event) => { if (event.code === "Space" && !event.repeat) pedal = true; });
addEventListener("keyup", (event) => { if (event.code === "Space") pedal = false; });
addEventListener("blur", () => { pedal = false; });
void link.start();
