// SPDX-License-Identifier: Apache-2.0
// What the two hands do in one frame of the headset.
import { type Hand, JOINTS, Kind, NO_HAND, type Pose, Validity } from "./packet";

export type Side = "left" | "right";
export const SIDES: Side[] = ["left", "right"];
const SQUEEZED = 0.5;
const INDEX_TIP = 9;

export interface HandsNow {
  hands: Record<Side, Hand>;
  pointers: Record<Side, DOMPointReadOnly | null>; // what touches the buttons
}

// Where in an XRSession's frame the hands are; bare hands are followed while `follow`, controllers while squeezed.
export function readHands(session: XRSession, frame: XRFrame, space: XRReferenceSpace, follow: boolean, pedal: boolean): HandsNow {
  const now: HandsNow = { hands: { left: NO_HAND, right: NO_HAND }, pointers: { left: null, right: null } };
  for (const source of session.inputSources) {
    if (source.handedness === "none") continue;
    const side = source.handedness;
    if (source.hand) {
      const hand = readFingers(frame, space, source.hand);
      hand.engaged = follow || pedal;
      now.hands[side] = hand;
      now.pointers[side] = hand.joints[INDEX_TIP]?.position ?? null;
    } else if (source.gripSpace && now.hands[side].kind !== Kind.Fingers) {
      const hand = readController(frame, space, source, source.gripSpace);
      hand.engaged = hand.grip > SQUEEZED || pedal;
      now.hands[side] = hand;
      now.pointers[side] = hand.pose?.position ?? null;
    }
  }
  return now;
}

function readFingers(frame: XRFrame, space: XRReferenceSpace, source: XRHand): Hand {
  const joints = [...source.values()].slice(0, JOINTS).map((joint): Pose | null => frame.getJointPose?.(joint, space)?.transform ?? null);
  const tracked = joints.length === JOINTS && joints.every((joint) => joint !== null);
  return { ...NO_HAND, kind: Kind.Fingers, validity: tracked ? Validity.Tracked : Validity.Lost, pose: joints[0] ?? null, joints };
}

function readController(frame: XRFrame, space: XRReferenceSpace, source: XRInputSource, grip: XRSpace): Hand {
  const pose = frame.getPose(grip, space);
  const pad = source.gamepad;
  const validity = !pose ? Validity.Lost : pose.emulatedPosition ? Validity.Inferred : Validity.Tracked;
  return {
    ...NO_HAND,
    kind: Kind.Controller,
    validity,
    pose: pose?.transform ?? null,
    trigger: pad?.buttons[0]?.value ?? NaN,
    grip: pad?.buttons[1]?.value ?? NaN,
    buttons: (pad?.buttons.slice(2, 10) ?? []).reduce((bits, button, i) => bits | (button.pressed ? 1 << i : 0), 0),
    axes: [pad?.axes[2] ?? 0, pad?.axes[3] ?? 0],
  };
}
