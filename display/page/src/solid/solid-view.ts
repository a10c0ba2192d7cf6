/** The patient in three dimensions: skin, bone, what is hot, the probe, its path, and targets as wire ellipsoids. */

import {
  AmbientLight, BufferAttribute, BufferGeometry, CylinderGeometry, DirectionalLight, Group, LineBasicMaterial, Matrix4,
  Mesh, MeshLambertMaterial, PerspectiveCamera, Quaternion, Scene, SphereGeometry, Vector3, WebGLRenderer,
  WireframeGeometry, LineSegments,
} from "three";
import type { StudyState, SurfaceState, TargetState } from "../feed-types";
import { authorised } from "../feed/admission";
import { mustBeGood } from "../feed/answers";
import type { Moment } from "../feed/moment";
import { label, mark } from "../kit/elements";
import { t } from "../kit/language";
import { remember, remembered } from "../kit/remembered";
import { PathLine } from "./path-line";
import { TipPath } from "./tip-path";

/** It is looked at now and then: a machine without a graphics card has better things to do. */
const DRAW_EVERY_MS = 250;
const SHAFT_MM = 120;
/** Seen from the front and a little from the patient's left, until somebody turns it. */
const TURN_RAD = 0.5;
const LOOKS = {
  skin: { color: 0xc9a58f, opacity: 0.3, transparent: true, depthWrite: false },
  bone: { color: 0xe8e2d0 },
  activity: { color: 0xff8c2a, emissive: 0x5a2000 },
} as const;

export class SolidView {
  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera(35, 1, 10, 5000);
  private readonly body = new Group();
  private readonly targets = new Group();
  private readonly probe = new Mesh(new CylinderGeometry(6, 6, SHAFT_MM, 16), new MeshLambertMaterial({ color: 0x4ade80 }));
  private readonly path = new TipPath();
  private readonly swept = new PathLine();
  private renderer: WebGLRenderer | null = null;
  private wanted = "";
  private middle = new Vector3();
  private reach_mm = 300;
  private turn_rad = turned();
  private drawnAt_ms = -Infinity;
  private abort = new AbortController();

  constructor(private readonly canvas: HTMLCanvasElement) {
    try {
      this.renderer = new WebGLRenderer({ canvas, antialias: false, alpha: false });
      this.renderer.setClearColor(0x0b0d10);
    } catch {
      mark(canvas, "impossible"); // slices and bull's-eye need no WebGL
    }
    const lamp = new DirectionalLight(0xffffff, 2.2);
    lamp.position.set(0.4, -1, 0.6);
    this.scene.add(new AmbientLight(0xffffff, 1.1), lamp, this.body, this.targets, this.probe, this.swept.line);
    let from: number | null = null;
    canvas.addEventListener("pointerdown", (event) => (from = event.clientX));
    window.addEventListener("pointerup", () => {
      if (from !== null) remember("turn", `${this.turn_rad}`);
      from = null;
    });
    canvas.addEventListener("pointermove", (event) => {
      if (from === null) return;
      this.turn_rad -= (event.clientX - from) / 120;
      from = event.clientX;
    });
  }

  /** Show what holds now. */
  draw(moment: Moment | null, study: StudyState | null): void {
    this.want(study);
    const pose = moment?.pose ?? null;
    const now_ms = performance.now();
    if (this.renderer === null || now_ms - this.drawnAt_ms < DRAW_EVERY_MS || this.canvas.clientWidth === 0) return;
    this.drawnAt_ms = now_ms;
    this.probe.visible = pose !== null;
    if (pose) {
      const axis = new Vector3(...pose.axis);
      this.probe.quaternion.copy(new Quaternion().setFromUnitVectors(new Vector3(0, -1, 0), axis));
      this.probe.position.copy(new Vector3(...pose.tip_mm).addScaledVector(axis, -SHAFT_MM / 2));
    }
    if (moment) this.path.follow(moment, now_ms);
    this.swept.lay(this.path, pose?.tip_mm ?? null);
    this.swept.line.visible = study !== null;
    this.canvas.dataset["points"] = `${this.path.points.length}`;
    this.place(moment?.state.targets ?? []);
    this.render(this.renderer);
    label(this.canvas, t.slices.solid(this.body.children.length, this.targets.children.length, pose !== null));
  }

  private render(renderer: WebGLRenderer): void {
    const { clientWidth, clientHeight } = this.canvas;
    if (this.canvas.width !== clientWidth || this.canvas.height !== clientHeight) renderer.setSize(clientWidth, clientHeight, false);
    this.camera.aspect = clientWidth / Math.max(1, clientHeight);
    this.camera.up.set(0, 0, 1);
    const away = (this.reach_mm * 2.6) / Math.min(1, this.camera.aspect); // a narrow view must hold the width too
    // LPS: the front is at -y, the patient's left at +x, on the right of the screen
    this.camera.position.set(this.middle.x + Math.sin(this.turn_rad) * away, this.middle.y - Math.cos(this.turn_rad) * away, this.middle.z + away * 0.25);
    this.canvas.dataset["turn"] = this.turn_rad.toFixed(3);
    this.camera.lookAt(this.middle);
    this.camera.updateProjectionMatrix();
    renderer.render(this.scene, this.camera);
  }

  /** Wires, over everything: a solid ellipsoid would vanish in the hot spot that it is about. */
  private place(targets: readonly TargetState[]): void {
    this.targets.clear();
    for (const { localisable, kind, centre_mm, region_axes, region_semi_axes_mm } of targets) {
      if (!localisable || !centre_mm || !region_axes || !region_semi_axes_mm) continue;
      const wires = new LineSegments(WIRES, kind === "target" ? TARGET_WIRE : OTHER_WIRE);
      const [a, b, c] = region_axes.map((axis, n) => new Vector3(...axis).multiplyScalar(Math.max(1, region_semi_axes_mm[n]!)));
      wires.matrixAutoUpdate = false;
      wires.matrix = new Matrix4().makeBasis(a!, b!, c!).setPosition(...centre_mm);
      wires.renderOrder = 1;
      this.targets.add(wires);
    }
  }

  private want(study: StudyState | null): void {
    const key = study ? study.surfaces.map((surface) => surface.etag).join(" ") : "";
    if (key === this.wanted) return;
    this.wanted = key;
    this.abort.abort();
    this.abort = new AbortController();
    this.body.clear();
    mark(this.canvas, this.renderer === null ? "impossible" : "loading");
    if (study) void this.load(study.surfaces, this.abort.signal);
  }

  private async load(surfaces: readonly SurfaceState[], signal: AbortSignal): Promise<void> {
    try {
      for (const surface of surfaces) {
        const geometry = await fetchSurface(surface, signal);
        if (signal.aborted) return;
        const { color, ...look } = LOOKS[surface.kind];
        this.body.add(new Mesh(geometry, new MeshLambertMaterial({ color, ...look })));
        geometry.computeBoundingSphere();
        if (surface.kind === "skin" && geometry.boundingSphere) {
          this.middle = geometry.boundingSphere.center.clone();
          this.reach_mm = geometry.boundingSphere.radius;
        }
      }
      if (this.renderer !== null) mark(this.canvas, "shown");
    } catch {
      if (!signal.aborted) window.setTimeout(() => (this.wanted = ""), 2000);
    }
  }
}

function turned(): number {
  const turn_rad = Number.parseFloat(remembered("turn") ?? "");
  return Number.isFinite(turn_rad) ? turn_rad : TURN_RAD;
}

const WIRES = new WireframeGeometry(new SphereGeometry(1, 16, 10));
const TARGET_WIRE = new LineBasicMaterial({ color: 0xffffff, depthTest: false });
const OTHER_WIRE = new LineBasicMaterial({ color: 0xffb454, depthTest: false });

async function fetchSurface(state: SurfaceState, signal: AbortSignal): Promise<BufferGeometry> {
  const answer = await fetch(state.url, { signal, headers: authorised({}) });
  mustBeGood(answer);
  const bytes = await answer.arrayBuffer();
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(bytes, 0, 3 * state.vertices), 3));
  geometry.setIndex(new BufferAttribute(new Uint32Array(bytes, 12 * state.vertices), 1));
  geometry.computeVertexNormals();
  return geometry;
}
