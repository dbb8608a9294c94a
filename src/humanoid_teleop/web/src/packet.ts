// SPDX-License-Identifier: Apache-2.0
// The record sent for each frame of the headset; humanoid_teleop/webxr/packet.py reads the same one.

export const VERSION = 1;
export const VISIBLE = 1;
export const RECENTRED = 2;
export const enum Kind { Nothing = 0, Controller = 1, Fingers = 2 }
export const enum Validity { Lost = 0, Inferred = 1, Tracked = 2 }
export const JOINTS = 25;

const POSE_BYTES = 28;
const HAND_BYTES = 20 + POSE_BYTES + JOINTS * POSE_BYTES;
export const PACKET_BYTES = 16 + POSE_BYTES + 2 * HAND_BYTES;

export interface Pose {
  position: DOMPointReadOnly;
  orientation: DOMPointReadOnly;
}

export interface Hand {
  kind: Kind;
  validity: Validity;
  engaged: boolean;
  buttons: number;
  grip: number;
  trigger: number;
  axes: [number, number];
  pose: Pose | null;
  joints: (Pose | null)[];
}

export const NO_HAND: Readonly<Hand> = {
  kind: Kind.Nothing, validity: Validity.Lost, engaged: false, buttons: 0, grip: NaN, trigger: NaN, axes: [0, 0], pose: null, joints: [],
};

export interface Frame {
  flags: number;
  headValidity: Validity;
  sequence: number;
  time: number; // [ms] since the epoch, by this browser's clock
  head: Pose | null;
  left: Hand;
  right: Hand;
}

function writePose(view: DataView, at: number, pose: Pose | null): number {
  const p = pose?.position, q = pose?.orientation;
  const values = [p?.x, p?.y, p?.z, q?.x, q?.y, q?.z, q?.w];
  values.forEach((value, i) => view.setFloat32(at + 4 * i, value ?? NaN, true));
  return at + POSE_BYTES;
}

function writeHand(view: DataView, at: number, hand: Hand): number {
  view.setUint8(at, hand.kind);
  view.setUint8(at + 1, hand.validity);
  view.setUint8(at + 2, hand.engaged ? 1 : 0);
  view.setUint8(at + 3, hand.buttons);
  [hand.grip, hand.trigger, ...hand.axes].forEach((value, i) => view.setFloat32(at + 4 + 4 * i, value, true));
  at = writePose(view, at + 20, hand.pose);
  for (let joint = 0; joint < JOINTS; joint++) at = writePose(view, at, hand.joints[joint] ?? null);
  return at;
}

export function write(frame: Frame): ArrayBuffer {
  const buffer = new ArrayBuffer(PACKET_BYTES);
  const view = new DataView(buffer);
  view.setUint8(0, VERSION);
  view.setUint8(1, frame.flags);
  view.setUint8(2, frame.headValidity);
  view.setUint32(4, frame.sequence, true);
  view.setFloat64(8, frame.time, true);
  let at = writePose(view, 16, frame.head);
  at = writeHand(view, at, frame.left);
  writeHand(view, at, frame.right);
  return buffer;
}
