/** Tip, delay, registration and its check, carried out before the display: what to do, how far it is, how good it is. */

import type { CalibrationAct, CalibrationState, LandmarkList, RegisterRequest, Verdict } from "../feed-types";
import { act } from "../feed/acts";
import { find, label, make, write } from "../kit/elements";
import { language, t } from "../kit/language";
import { rememberOpen, wasOpen } from "../kit/remembered";
import { CalibrationLine, fetchLandmarks } from "./calibration-line";
import { figureWords, outcomeWord } from "./calibration-words";
import { type LandmarkFile, readLandmarks } from "./landmark-file";

type Step = NonNullable<CalibrationState["step"]>;
type Lying = NonNullable<RegisterRequest["lies"]>;

const NONE: LandmarkList = { names: [], trouble: "" };
/** One touch goes from each to the next: most lie on their back. */
const NEXT: Record<Lying, Lying> = { supine: "prone", prone: "left", left: "right", right: "supine" };
/** A registration takes so few points at least, whatever their order. */
const FEWEST = 3;
/** How long a refusal stays where nothing else takes its place. */
const REFUSED_MS = 8000;

export class CalibrationPanel {
  private readonly panel = find("calibration", HTMLElement);
  private readonly bar = make("progress", "");
  private readonly words = make("p", "progress-words");
  private readonly picker = make("input", "");
  private state: CalibrationState | null = null;
  private trouble = "";
  private refused = "";
  private landmarks = NONE;
  private file: LandmarkFile | null = null;
  private isAnyOrder = false;
  private withSkin = false;
  private lies: Lying = "supine";
  private shown = "";
  private readonly line = new CalibrationLine(({ state, trouble }) => {
    const before = this.state;
    this.state = state;
    this.trouble = trouble;
    if (before !== null && state !== null && isOver(state) && !isOver(before)) void this.learnLandmarks();
    this.draw();
  });

  /** @param onOpen called before it opens: what it would cover is to be closed */
  constructor(private readonly onOpen: () => void) {
    this.bar.max = 1;
    this.words.setAttribute("role", "status");
    this.picker.type = "file";
    this.picker.accept = ".json";
    this.picker.hidden = true;
    this.picker.addEventListener("change", () => void this.take());
    document.addEventListener("language", () => this.draw());
  }

  /** Do what a key is for: T opens and closes, N begins the motion that is waited for, or uses what passed. */
  press(key: string): void {
    if (key === "t") this.open(this.panel.hidden);
    const { state } = this;
    if (key === "n" && !this.panel.hidden && (state?.phase === "waiting" || state?.phase === "accepting")) this.say(state, "continue");
  }

  /** Open or close it; it lies over the slices, as others do. */
  open(isOpen: boolean): void {
    if (isOpen) this.onOpen();
    rememberOpen("calibration", isOpen);
    this.panel.hidden = !isOpen;
    this.forget();
    if (isOpen) void this.learnLandmarks();
    else this.line.leave();
  }

  close(): void {
    if (!this.panel.hidden) this.open(false);
  }

  /** Be open where it was before this page was loaded anew. */
  reopen(): void {
    if (wasOpen("calibration")) this.open(true);
  }

  /** What was known is of another run of the service. */
  forget(): void {
    this.state = null;
    this.trouble = "";
    this.refused = "";
    if (!this.panel.hidden) this.line.follow();
    this.draw();
  }

  private async learnLandmarks(): Promise<void> {
    this.landmarks = await fetchLandmarks();
    this.draw();
  }

  private async take(): Promise<void> {
    const chosen = this.picker.files?.[0];
    this.picker.value = ""; // the same file again is another choice: it may have been mended
    if (chosen === undefined) return;
    this.file = await readLandmarks(chosen);
    this.refused = this.file ? "" : t.calibration.notLandmarks(chosen.name);
    this.isAnyOrder &&= this.file !== null;
    this.draw();
  }

  private begin(step: Step, body: object): void {
    void this.send(`/v1/calibrations/${step}`, body);
  }

  private say({ step, seq }: CalibrationState, said: CalibrationAct["act"]): void {
    const request: CalibrationAct = { act: said, seq };
    void this.send(`/v1/calibrations/${step}/acts`, request);
  }

  private async send(path: string, body: object): Promise<void> {
    const { refusal } = await act(path, body);
    this.refused = refusal;
    this.draw();
    if (refusal) window.setTimeout(() => this.calm(refusal), REFUSED_MS);
  }

  /** A refusal has been read by now. */
  private calm(refusal: string): void {
    if (this.refused === refusal) this.refused = "";
    this.draw();
  }

  private draw(): void {
    const { state } = this;
    if (state !== null) {
      this.bar.value = state.share;
      label(this.bar, t.calibration.howFar);
      write(this.words, t.service(state.words));
    }
    const still = state && { ...state, share: 0, words: "", seq: 0 }; // a key made anew under a finger is not pressed
    const key = JSON.stringify([still, this.trouble, this.refused, this.landmarks, this.file?.name, this.isAnyOrder, this.withSkin, this.lies, language]);
    if (this.panel.hidden || key === this.shown) return;
    this.shown = key;
    const focused = (document.activeElement as HTMLElement | null)?.dataset["does"];
    this.render();
    if (focused) this.panel.querySelector<HTMLElement>(`[data-does="${CSS.escape(focused)}"]`)?.focus();
  }

  private render(): void {
    const { state } = this;
    this.panel.dataset["phase"] = state?.phase ?? "unknown";
    const trouble = make("p", "trouble", t.service(this.refused || this.trouble));
    trouble.setAttribute("role", "alert");
    const close = key(t.general.close, "T", "close", () => this.open(false));
    const heading = make("div", "heading", make("h2", "", t.calibration.title), close);
    const content = state === null ? [] : isOver(state) ? [...this.outcome(state), ...this.choices()] : [this.work(state)];
    this.panel.replaceChildren(heading, trouble, ...content);
  }

  /** What goes on, and what may be said in it. */
  private work(state: CalibrationState): HTMLElement {
    const { step, phase } = state;
    const work = make("section", "work", make("h3", "", t.calibration.steps[step!].word));
    const say = (words: string, letter: string, said: CalibrationAct["act"]): HTMLElement => key(words, letter, said, () => this.say(this.state ?? state, said));
    const told = state.instruction ? make("p", "instruction", t.service(state.instruction)) : make("p", "hint", t.calibration.phases[phase]);
    told.setAttribute("role", "status");
    work.append(told);
    if (phase === "measuring") work.append(this.bar, this.words);
    if (phase === "judging") work.append(...state.results.slice(-1).map(verdict));
    if (phase === "accepting") work.append(...state.results.map(verdict));
    const keys = make("div", "choices");
    if (phase === "waiting") keys.append(say(t.calibration.ready, "N", "continue"));
    if (phase === "judging") keys.append(say(t.calibration.again, "", "repeat"), say(t.calibration.without, "", "continue"));
    if (phase === "accepting") keys.append(say(t.calibration.use, "N", "continue"));
    keys.append(say(phase === "accepting" ? t.calibration.discard : t.calibration.end, "", "end"));
    work.append(keys);
    return work;
  }

  private outcome(state: CalibrationState): HTMLElement[] {
    if (state.step === null) return [];
    const told = make("section", "outcome", make("b", "word", outcomeWord(state)), make("h3", "", t.calibration.steps[state.step].word));
    told.append(make("p", "", t.service(state.reason)), ...state.results.map(verdict));
    told.dataset["state"] = state.passed ? "passed" : "failed";
    told.setAttribute("role", "status");
    return [told];
  }

  /** What can be begun. */
  private choices(): HTMLElement[] {
    const { file } = this;
    const choose = key(file ? t.calibration.chosen(file.name, file.count) : t.calibration.choose, "", "file", () => this.picker.click());
    const isMany = file !== null && file.count >= FEWEST;
    const request: RegisterRequest = { landmarks: file?.content ?? {}, points: this.isAnyOrder && isMany ? file.count : null, with_skin: this.withSkin, lies: this.lies };
    const begin = key(t.calibration.begin, "", "begin register", () => this.begin("register", request));
    begin.disabled = file === null;
    const anyOrder = toggle(t.calibration.anyOrder, "any-order", this.isAnyOrder, () => (this.isAnyOrder = !this.isAnyOrder));
    anyOrder.disabled = !isMany;
    const skin = toggle(t.calibration.withSkin, "skin", this.withSkin, () => (this.withSkin = !this.withSkin));
    const lies = key(t.calibration.lies[this.lies], "", "lies", () => (this.lies = NEXT[this.lies]));
    for (const each of [anyOrder, skin, lies]) each.addEventListener("click", () => this.draw());
    const touches = this.landmarks.names.map((name) => key(name, "", `begin verify ${name}`, () => this.begin("verify", { landmark: name })));
    const none = this.landmarks.trouble ? t.service(this.landmarks.trouble) : t.calibration.noneRegistered;
    return [
      card("register", choose, this.picker, anyOrder, skin, lies, begin),
      card("verify", ...(touches.length > 0 ? touches : [make("p", "hint", none)])),
      card("tool", key(t.calibration.begin, "", "begin tool", () => this.begin("tool", {}))),
      card("axis", key(t.calibration.begin, "", "begin axis", () => this.begin("axis", {}))),
      card("timing", key(t.calibration.begin, "", "begin timing", () => this.begin("timing", {}))),
    ];
  }
}

function isOver({ phase }: CalibrationState): boolean {
  return phase === "idle" || phase === "ended";
}

function card(step: Step, ...keys: Node[]): HTMLElement {
  const { word, hint } = t.calibration.steps[step];
  const made = make("article", "begin", make("h3", "", word), make("p", "hint", hint), make("div", "choices", ...keys));
  made.dataset["step"] = step;
  return made;
}

/** What was said of a motion: its quality, what it had to keep, what was measured. */
function verdict(result: Verdict): HTMLElement {
  const word = make("b", "word", result.passed ? t.calibration.good : t.calibration.bad);
  const made = make("div", "verdict", word, make("p", "", t.service(result.reason)), make("p", "hint", t.calibration.wanted(t.service(result.limit))));
  if (result.figures.length > 0) made.append(make("p", "hint", result.figures.map(figureWords).join(" · ")));
  made.dataset["state"] = result.passed ? "passed" : "failed";
  return made;
}

function key(words: string, letter: string, does: string, press: () => void): HTMLButtonElement {
  const button = make("button", "", words, ...(letter ? [" ", make("span", "", letter)] : []));
  button.type = "button";
  button.dataset["does"] = does;
  button.addEventListener("click", press);
  return button;
}

function toggle(words: string, does: string, isOn: boolean, press: () => void): HTMLButtonElement {
  const button = key(words, "", does, press);
  button.setAttribute("role", "checkbox");
  button.setAttribute("aria-checked", String(isOn));
  return button;
}
