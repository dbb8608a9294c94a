// SPDX-License-Identifier: Apache-2.0
// What the operator sees in the headset: the robot's camera in front, its state under it, buttons to touch on the left.
import * as THREE from "three";
import type { Side } from "./hands";
import { SIDES } from "./hands";

const SCREEN_WIDTH = 2.0; // [m]
const SCREEN_DISTANCE = 2.0;
const LEFT_EYE = 1, RIGHT_EYE = 2; // layers of three's two eye cameras
const TOUCH = 0.03; // [m] how near a fingertip touches

interface Button {
  mesh: THREE.Mesh;
  press: () => void;
  touched: boolean;
}

export class Room {
  readonly renderer: THREE.WebGLRenderer;
  private readonly scene = new THREE.Scene();
  private readonly camera = new THREE.PerspectiveCamera(70, 1, 0.05, 50);
  private readonly place = new THREE.Group(); // in front of the operator
  private readonly screens: THREE.Mesh<THREE.PlaneGeometry, THREE.MeshBasicMaterial>[] = [];
  private readonly buttons: Button[] = [];
  private readonly text = document.createElement("canvas");
  private readonly textTexture: THREE.CanvasTexture;
  private placed = false;
  private lines = "";

  constructor(canvases: HTMLCanvasElement[]) {
    this.renderer = new THREE.WebGLRenderer({ antialias: true });
    this.renderer.xr.enabled = true;
    this.scene.background = new THREE.Color(0x101418);
    this.scene.add(this.place, new THREE.GridHelper(6, 12, 0x3a424b, 0x20262c));
    canvases.forEach((canvas, eye) => {
      const texture = new THREE.CanvasTexture(canvas);
      texture.colorSpace = THREE.SRGBColorSpace;
      const screen = new THREE.Mesh(new THREE.PlaneGeometry(1, 1), new THREE.MeshBasicMaterial({ map: texture, toneMapped: false }));
      screen.position.set(0, 0, -SCREEN_DISTANCE);
      screen.layers.set(eye === 0 ? LEFT_EYE : RIGHT_EYE);
      this.place.add(screen);
      this.screens.push(screen);
    });
    this.setStereo(false);
    this.text.width = 1024;
    this.text.height = 192;
    this.textTexture = new THREE.CanvasTexture(this.text);
    const label = new THREE.Mesh(new THREE.PlaneGeometry(1.6, 0.3), new THREE.MeshBasicMaterial({ map: this.textTexture, transparent: true }));
    label.position.set(0, -0.95, -SCREEN_DISTANCE + 0.1);
    this.place.add(label);
  }

  // One picture for both eyes, or one for each.
  setStereo(stereo: boolean): void {
    const [left, right] = this.screens;
    right.visible = stereo;
    if (stereo) left.layers.set(LEFT_EYE);
    else left.layers.enable(RIGHT_EYE);
  }

  addButton(name: string, color: number, press: () => void): void {
    const row = this.buttons.length;
    const face = document.createElement("canvas");
    face.width = 256;
    face.height = 96;
    const pen = face.getContext("2d")!;
    pen.fillStyle = `#${color.toString(16).padStart(6, "0")}`;
    pen.fillRect(0, 0, 256, 96);
    pen.fillStyle = "white";
    pen.font = "bold 40px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(name, 128, 48, 240);
    const material = new THREE.MeshBasicMaterial({ map: new THREE.CanvasTexture(face) });
    const mesh = new THREE.Mesh(new THREE.BoxGeometry(0.14, 0.05, 0.02), material);
    mesh.position.set(-0.55, -0.35 - 0.07 * row, -0.35); // beside the operator, out of the way of the work
    mesh.rotation.y = 0.9;
    this.place.add(mesh);
    this.buttons.push({ mesh, press, touched: false });
  }

  // Put everything in front of a head that looks along -z of its pose.
  placeBefore(head: XRRigidTransform): void {
    const { x, y, z, w } = head.orientation;
    const forward = new THREE.Vector3(0, 0, -1).applyQuaternion(new THREE.Quaternion(x, y, z, w));
    this.place.position.set(head.position.x, head.position.y, head.position.z);
    this.place.rotation.set(0, Math.atan2(-forward.x, -forward.z), 0);
    this.placed = true;
  }

  forget(): void {
    this.placed = false;
  }

  showPicture(eye: number, width: number, height: number): void {
    const screen = this.screens[eye];
    screen.material.map!.needsUpdate = true;
    screen.scale.set(SCREEN_WIDTH, (SCREEN_WIDTH * height) / width, 1);
  }

  // Canvas textures keep the size of their first upload.
  pictureResized(eye: number): void {
    this.screens[eye].material.map!.dispose();
  }

  showText(lines: string[]): void {
    const joined = lines.join("\n");
    if (joined === this.lines) return;
    this.lines = joined;
    const pen = this.text.getContext("2d")!;
    pen.clearRect(0, 0, this.text.width, this.text.height);
    pen.fillStyle = "white";
    pen.font = "34px system-ui, sans-serif";
    lines.forEach((line, row) => pen.fillText(line, 8, 42 + 44 * row, this.text.width - 16));
    this.textTexture.needsUpdate = true;
  }

  render(head: XRRigidTransform | null, pointers: Record<Side, DOMPointReadOnly | null>): void {
    if (!this.placed && head) this.placeBefore(head);
    for (const button of this.buttons) {
      const touched = SIDES.some((side) => {
        const tip = pointers[side];
        if (!tip) return false;
        const inside = button.mesh.worldToLocal(new THREE.Vector3(tip.x, tip.y, tip.z));
        return Math.abs(inside.x) < 0.07 && Math.abs(inside.y) < 0.025 && Math.abs(inside.z) < TOUCH;
      });
      if (touched && !button.touched) button.press();
      button.touched = touched;
      button.mesh.scale.setScalar(touched ? 0.92 : 1);
    }
    this.renderer.render(this.scene, this.camera);
  }
}
