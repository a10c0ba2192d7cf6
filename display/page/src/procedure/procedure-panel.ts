/** The procedure, step by step: where it stands, what the next step needs, and a reason where something is missing. */

import type { CheckState, MoveState, PlannedState, ProcedureRequest, ProcedureState } from "../feed-types";
import { act } from "../feed/acts";
import type { Moment } from "../feed/moment";
import type { Ball, DrawnKind } from "../kit/ball";
import { find, make, write } from "../kit/elements";
import { fieldsOf, Kept, procedureOf } from "../kit/kept";
import { language, t } from "../kit/language";
import { rememberOpen, wasOpen } from "../kit/remembered";
import type { Expected } from "../slices/expected-activity";
import { keepPicture } from "./picture";
import { plannedWords, stepWord } from "./procedure-words";
import { reportLinks } from "./report-links";

/** How long a refusal stays where nothing else takes its place. */
const REFUSED_MS = 8000;
/** Letters of a reason: what the service takes. */
const LEAST_REASON = 4;
const LONGEST_REASON = 500;

type Asked = Omit<ProcedureRequest, "revision">;

/** A step that is about to be taken though something is missing, null for none; and the reason as far as it is written. */
interface Override {
  readonly to: MoveState["to"] | null;
  readonly reason: string;
}

const NO_OVERRIDE: Override = { to: null, reason: "" };

/** Where the procedure leads to. */
export interface Ways {
  /** Opens what a patient is chosen by. */
  readonly choosePatient: () => void;
  /** Lets a person draw in the slices. */
  readonly beginDrawing: (kind: DrawnKind) => void;
  /** Opens what tip, delay and registration are measured by. */
  readonly calibrate: () => void;
  /** Called before the procedure opens: what it would cover is to be closed. */
  readonly onOpen: () => void;
}

export class ProcedurePanel {
  private readonly panel = find("procedure", HTMLElement);
  private readonly button = find("procedure-button", HTMLButtonElement);
  private readonly word = find("procedure-word", HTMLElement);
  private readonly step = find("procedure-step", HTMLElement);
  private state: ProcedureState | null = null;
  private shown = "";
  /** What stands in the panel, as it was made. */
  private made = "";
  private madeFor: ProcedureState["step"] | null = null;
  private refused: { words: string; until_ms: number } | null = null;
  private readonly kept = new Kept("override", overrideOf);
  /** Names the procedure that is shown; what is written is of no other. */
  private of = "";
  private override: Override = NO_OVERRIDE;

  constructor(private readonly ways: Ways) {
    this.button.addEventListener("click", () => this.open(this.panel.hidden));
  }

  /** Show what holds now; null where the page knows nothing. */
  draw(moment: Moment | null, now_ms: number): void {
    this.state = moment?.state.procedure ?? null;
    if (this.refused && now_ms > this.refused.until_ms) this.refused = null;
    write(this.word, this.state ? `${t.page.procedure}:` : t.page.procedure);
    write(this.step, this.state ? stepWord(this.state) : "");
    this.button.dataset["state"] = this.state?.step ?? "none";
    if (this.state) this.belongTo(procedureOf(this.state));
    if (this.panel.hidden || this.state === null) return;
    const { to } = this.override;
    if (to !== null && !this.state.moves.some((move) => move.to === to)) this.change({ to: null });
    const key = JSON.stringify([language, this.state, this.refused, this.override.to]);
    if (key === this.shown || this.panel.matches(":active")) return; // a key made anew under a finger is not pressed
    this.shown = key;
    this.render(this.state);
  }

  /** Do what a key is for: P opens and closes, N takes the next step where nothing is missing, K marks this moment. */
  press(key: string): void {
    if (key === "p") this.open(this.panel.hidden);
    if (this.state === null) return;
    if (key === "k") this.ask({ action: "mark" });
    const next = this.state.moves.find((move) => move.is_forward);
    if (key === "n" && !this.panel.hidden && next) this.take(next);
  }

  /** Enter what was drawn in the plan; gives why not, empty where it is in. */
  async enter({ kind, centre_mm, radius_mm }: Ball, expected: Expected): Promise<string> {
    if (this.state === null) return t.general.noAnswer;
    const { revision } = this.state;
    const asked: ProcedureRequest = { revision, action: "draw", sort: kind, place_mm: centre_mm, radius_mm, ...expected };
    const { refusal } = await act("/v1/procedure/acts", asked);
    if (!refusal) this.open(true);
    return refusal;
  }

  close(): void {
    if (!this.panel.hidden) this.open(false);
  }

  /** Be open where it was before this page was loaded anew, with what was half written. */
  reopen(): void {
    if (wasOpen("procedure")) this.show(true);
  }

  private open(isOpen: boolean): void {
    if (isOpen) this.ways.onOpen();
    rememberOpen("procedure", isOpen);
    this.change({ to: null });
    this.show(isOpen);
  }

  private show(isOpen: boolean): void {
    this.panel.hidden = !isOpen;
    this.button.setAttribute("aria-expanded", String(isOpen));
    this.shown = "";
  }

  private belongTo(of: string): void {
    if (of === this.of) return;
    this.of = of;
    this.override = this.kept.find(of) ?? NO_OVERRIDE;
  }

  private change(changed: Partial<Override>): void {
    this.override = { ...this.override, ...changed };
    this.kept.keep(this.of, this.override);
  }

  private take(move: MoveState): void {
    if (move.unmet.length === 0) this.ask({ action: "move", to: move.to });
    else if (move.is_possible) this.change({ to: move.to });
  }

  private ask(asked: Asked): void {
    if (this.state) void this.send({ revision: this.state.revision, ...asked });
  }

  private async send(request: ProcedureRequest): Promise<void> {
    const { refusal, seq } = await act("/v1/procedure/acts", request);
    this.refused = refusal ? { words: refusal, until_ms: performance.now() + REFUSED_MS } : null;
    if (refusal) return;
    this.change(NO_OVERRIDE);
    if (request.action === "mark" || request.action === "move") await keepPicture(seq);
  }

  private render(state: ProcedureState): void {
    const trouble = make("p", "trouble", t.service(this.refused?.words ?? state.trouble));
    trouble.setAttribute("role", "alert");
    const close = this.key(t.general.close, "P", "close", () => this.open(false));
    const mark = this.key(t.procedure.mark, "K", "mark", () => this.ask({ action: "mark" }));
    const calibrate = this.key(t.procedure.calibrate, "T", "calibrate", () => this.ways.calibrate());
    const heading = make("div", "heading", make("h2", "", t.page.procedure), mark, calibrate, close);
    const overridden = state.moves.find((move) => move.to === this.override.to);
    const content = overridden ? [this.overridden(overridden)] : [this.work(state), this.moves(state)];
    const all = make("div", "", heading, steps(state), trouble, ...content);
    if (all.innerHTML === this.made) return; // activities decay from state to state, and look the same
    this.made = all.innerHTML;
    const isSameStep = state.step === this.madeFor; // another begins with its first line
    const scrolled_px = isSameStep ? (this.panel.querySelector(".work")?.scrollTop ?? 0) : 0;
    this.madeFor = state.step;
    const focused = (document.activeElement as HTMLElement | null)?.dataset["does"];
    this.panel.replaceChildren(...all.childNodes);
    this.panel.querySelector(".work")?.scrollTo(0, scrolled_px);
    if (focused) this.panel.querySelector<HTMLElement>(`[data-does="${CSS.escape(focused)}"]`)?.focus();
  }

  /** What is to be done at this step. */
  private work(state: ProcedureState): HTMLElement {
    const work = make("section", "work");
    if (state.step === "patient" && state.number === 0) {
      work.append(
        make("p", "hint", t.procedure.confirm),
        this.key(t.procedure.choose, "", "patient", () => this.ways.choosePatient()),
      );
    }
    if (state.step === "plan") work.append(...state.sources.map((source) => this.source(source)), this.pencils());
    if (state.step === "time-out") work.append(...state.checklist.map((check) => this.check(check)));
    if (state.step === "ended") work.append(...reportLinks(state.number));
    const hint = t.procedure.steps[state.step].hint;
    if (hint) work.append(make("p", "hint", hint));
    if (state.overrides > 0) work.append(make("p", "hint", t.procedure.overrides(state.overrides)));
    return work;
  }

  /** What the map does not show is drawn in the slices, which this panel covers. */
  private pencils(): HTMLElement {
    const pencils = (["target", "injection"] as const).map((kind) =>
      this.key(t.procedure.draw[kind], "", `draw ${kind}`, () => {
        this.close();
        this.ways.beginDrawing(kind);
      }),
    );
    return make("div", "choices", ...pencils);
  }

  private source(source: PlannedState): HTMLElement {
    const choices = (["target", "injection", "organ", "neither"] as const).map((sort) => {
      const choice = this.key(t.procedure.sorts[sort], "", `sort ${source.name} ${sort}`, () => this.ask({ action: "sort", name: source.name, sort }));
      choice.setAttribute("role", "radio");
      choice.setAttribute("aria-checked", String(source.confirmed === sort));
      if (source.confirmed === null && source.proposed === sort) choice.dataset["proposed"] = "true";
      return choice;
    });
    const keys = make("div", "choices", ...choices);
    keys.setAttribute("role", "radiogroup");
    keys.setAttribute("aria-label", t.service(source.name));
    const row = make("div", "source", make("b", "", t.service(source.name)), make("span", "", plannedWords(source)), keys);
    if (source.is_drawn) {
      keys.after(this.key(t.procedure.erase, "", `erase ${source.name}`, () => this.ask({ action: "erase", name: source.name })));
    }
    row.dataset["state"] = source.confirmed ?? "open";
    return row;
  }

  private check(check: CheckState): HTMLElement {
    const state = check.is_confirmed && check.is_good ? "confirmed" : check.is_good ? "open" : "failing";
    const shape = { confirmed: "\u2713", open: "\u25cb", failing: "\u25b2" }[state];
    const row = make("button", "check", make("i", "", shape), make("b", "", t.service(check.name)), make("span", "", t.service(check.said)));
    row.type = "button";
    row.dataset["does"] = `check ${check.name}`;
    row.dataset["state"] = state;
    row.setAttribute("role", "checkbox");
    row.setAttribute("aria-checked", String(state === "confirmed"));
    row.setAttribute("aria-label", `${t.service(check.name)}: ${t.service(check.said)}`);
    row.addEventListener("click", () => this.ask({ action: "check", name: check.name }));
    return row;
  }

  private moves(state: ProcedureState): HTMLElement {
    const moves = make("section", "moves");
    const others = make("div", "choices");
    for (const move of state.moves) {
      const isEarlyEnd = move.to === "ended" && state.step !== "bed";
      const isNext = move.is_forward && !isEarlyEnd;
      const { word } = t.procedure.steps[move.to];
      const words = isEarlyEnd ? t.procedure.endEarly : isNext ? t.procedure.next(word) : t.procedure.back(word);
      const button = this.key(words, isNext ? "N" : "", `move ${move.to}`, () => this.take(move));
      button.classList.add(isNext ? "next" : "other");
      button.disabled = !move.is_possible;
      if (isNext) {
        button.dataset["state"] = move.unmet.length === 0 ? "ready" : "missing";
        moves.prepend(button, ...move.unmet.map((need) => make("p", "unmet", `\u25b2 ${t.procedure.notYet(t.service(need))}`)));
      } else others.append(button);
    }
    moves.append(others);
    return moves;
  }

  /** What is missing, and reasons to touch or write. */
  private overridden(move: MoveState): HTMLElement {
    const input = make("input", "");
    input.type = "text";
    input.maxLength = LONGEST_REASON;
    input.value = this.override.reason;
    input.placeholder = t.procedure.reason;
    input.setAttribute("aria-label", t.procedure.reason);
    input.dataset["does"] = "reason";
    const go = this.key(t.procedure.goOn(t.procedure.steps[move.to].word), "", "override", () => this.ask({ action: "move", to: move.to, reason: this.override.reason }));
    const write = (reason: string): void => {
      this.change({ reason });
      go.disabled = reason.trim().length < LEAST_REASON;
    };
    input.addEventListener("input", () => write(input.value));
    write(input.value);
    const presets = t.procedure.reasons.map((reason) =>
      this.key(reason, "", `reason ${reason}`, () => {
        input.value = reason;
        write(reason);
      }),
    );
    const back = this.key(t.general.notNow, "", "back", () => {
      this.change({ to: null });
      this.shown = "";
    });
    return make(
      "section",
      "override",
      make("p", "", t.procedure.missing),
      ...move.unmet.map((need) => make("p", "unmet", `\u25b2 ${t.service(need)}`)),
      make("p", "", t.procedure.sayWhy),
      make("div", "choices", ...presets),
      input,
      make("div", "choices", go, back),
    );
  }

  private key(words: string, key: string, does: string, press: () => void): HTMLButtonElement {
    const button = make("button", "", words, ...(key ? [" ", make("span", "", key)] : []));
    button.type = "button";
    button.dataset["does"] = does;
    button.addEventListener("click", press);
    return button;
  }
}

/** All steps in their order: taken, now, ahead. */
function steps(state: ProcedureState): HTMLElement {
  const list = make("ol", "steps");
  for (const [name, { word }] of Object.entries(t.procedure.steps)) {
    const isTaken = (state.taken as readonly string[]).includes(name);
    const step = make("li", "", word);
    step.dataset["state"] = name === state.step ? "now" : isTaken ? "taken" : "ahead";
    if (name === state.step) step.setAttribute("aria-current", "step");
    list.append(step);
  }
  return list;
}

function overrideOf(kept: unknown): Override | null {
  const { to, reason } = fieldsOf(kept) ?? {};
  if (typeof reason !== "string" || reason.length > LONGEST_REASON) return null;
  const steps = Object.keys(t.procedure.steps) as MoveState["to"][];
  return { to: steps.find((step) => step === to) ?? null, reason };
}
