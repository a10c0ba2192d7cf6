/** After the excision: what was taken out, what is counted over its bed and of it on the bench, and what that says. */

import type { RemovedState, ResectionRequest, ResectionState, SpecimenState } from "../feed-types";
import { act } from "../feed/acts";
import type { Moment } from "../feed/moment";
import { find, make, write } from "../kit/elements";
import { fieldsOf, Kept, procedureOf } from "../kit/kept";
import { language, t } from "../kit/language";
import { rememberOpen, wasOpen } from "../kit/remembered";
import { fixed } from "../kit/words";
import { bedOf, countingWords, specimenOf } from "./resection-words";

/** How long a refusal stays where nothing else takes its place. */
const REFUSED_MS = 8000;

type Asked = Omit<ResectionRequest, "revision">;

/** The label that was changed last at this display: of which specimen, from what to what. */
interface Undoing {
  readonly number: number;
  readonly was: string | null;
  readonly became: string | null;
  /** Of what was seen when it was changed: a state that is of no other does not know of the change yet. */
  readonly revision: number;
}

export class ResectionPanel {
  private readonly panel = find("resection", HTMLElement);
  private readonly button = find("resection-button", HTMLButtonElement);
  private readonly counted = make("p", "counted");
  private shown = "";
  private state: ResectionState | null = null;
  private readonly kept = new Kept("relabelled", undoingOf);
  /** Names the procedure that is shown: another patient's specimen has the same number. */
  private of = "";
  /** Targets that could be marked, the one that the guidance is about first. */
  private targets: readonly string[] = [];
  private refused: { words: string; until_ms: number } | null = null;
  private undoing: Undoing | null = null;

  constructor() {
    this.counted.setAttribute("role", "status");
    this.button.addEventListener("click", () => this.open(this.panel.hidden));
  }

  /** Show what holds now; null where the page knows nothing. */
  draw(moment: Moment | null, now_ms: number): void {
    this.state = moment?.state.resection ?? null;
    if (moment) this.belongTo(procedureOf(moment.state.procedure));
    if (this.state && this.undoing && !isLast(this.undoing, this.state)) this.note(null);
    this.targets = moment ? markable(moment) : [];
    if (this.refused && now_ms > this.refused.until_ms) this.refused = null;
    this.button.dataset["state"] = this.state?.counting ? "counting" : this.state?.trouble ? "trouble" : "idle";
    if (this.panel.hidden || this.state === null) return;
    write(this.counted, countingWords(this.state.counting));
    const { counting } = this.state;
    // without what grows with every count: a button that is made anew under a finger is not pressed
    const still = { ...this.state, counting: counting?.what, number: counting?.number };
    const key = JSON.stringify([language, still, this.targets, this.refused, this.undoing]);
    if (key === this.shown || this.panel.matches(":active")) return;
    this.shown = key;
    this.render(this.state);
  }

  /** Do what a key is for; those that act do so only while the panel can be seen. */
  press(key: string): void {
    if (key === "x") this.open(this.panel.hidden);
    if (this.panel.hidden || this.state === null) return;
    if (key === "r" && this.targets[0] !== undefined) this.ask({ action: "remove", target: this.targets[0] });
    const newest = this.state.removed.at(-1);
    if (this.state.counting && (key === "b" || key === "s")) this.ask({ action: "stop" });
    else if (key === "b" && newest) this.ask({ action: "count_bed", number: newest.number });
    else if (key === "s") this.ask({ action: "count_specimen" });
    if (key === "z") this.undo();
  }

  /** Be open where it was before this page was loaded anew. */
  reopen(): void {
    this.open(wasOpen("resection"));
  }

  private open(isOpen: boolean): void {
    rememberOpen("resection", isOpen);
    this.panel.hidden = !isOpen;
    this.button.setAttribute("aria-expanded", String(isOpen));
    this.shown = "";
  }

  private ask(asked: Asked): void {
    if (this.state) void this.send({ revision: this.state.revision, ...asked });
  }

  private async send(request: ResectionRequest): Promise<boolean> {
    const { refusal: words } = await act("/v1/resection", request);
    this.refused = words ? { words, until_ms: performance.now() + REFUSED_MS } : null;
    return words === "";
  }

  /** Say of a specimen which removed target it is of; until the next such change it can be taken back. */
  private async relabel(number: number, was: string | null, target: string | null): Promise<boolean> {
    if (this.state === null) return false;
    const { of, state: { revision } } = this;
    const isDone = await this.send({ revision, action: "label", number, target });
    if (isDone && of === this.of) this.note({ number, was, became: target, revision });
    return isDone;
  }

  private belongTo(of: string): void {
    if (of === this.of) return;
    this.of = of;
    this.undoing = this.kept.find(of);
  }

  private note(undoing: Undoing | null): void {
    this.undoing = undoing;
    this.kept.keep(this.of, undoing);
  }

  /** Put the label back that was changed last; the record keeps both. */
  private undo(): void {
    const { undoing, state } = this;
    const specimen = state?.specimens.find((each) => each.number === undoing?.number);
    if (undoing === null || specimen === undefined) return;
    void this.relabel(undoing.number, specimen.of, undoing.was).then((isDone) => {
      if (isDone) this.note(null);
    });
  }

  private render(state: ResectionState): void {
    const focused = (document.activeElement as HTMLElement | null)?.dataset["does"];
    const trouble = make("p", "trouble", t.service(this.refused?.words ?? state.trouble));
    trouble.setAttribute("role", "alert");
    const newestFirst = [...state.removed].reverse();
    const beds = make(
      "section",
      "beds",
      ...this.targets.map((name, n) => this.key(t.resection.out(t.service(name)), n === 0 ? "R" : "", { action: "remove", target: name })),
      ...newestFirst.map((removed, n) => this.bed(removed, n === 0, state)),
    );
    if (beds.childElementCount === 0) beds.append(make("p", "hint", t.resection.noneLocated));
    this.panel.replaceChildren(this.heading(state), trouble, beds, this.specimens(state));
    if (focused) this.panel.querySelector<HTMLElement>(`[data-does="${CSS.escape(focused)}"]`)?.focus();
  }

  private heading(state: ResectionState): HTMLElement {
    const close = button(t.general.close, "X", "close");
    close.addEventListener("click", () => this.open(false));
    const stop = state.counting ? [this.key(t.resection.stop, "", { action: "stop" })] : [];
    return make("div", "heading", make("h2", "", t.page.excision), this.counted, ...stop, close);
  }

  private bed(removed: RemovedState, isNewest: boolean, state: ResectionState): HTMLElement {
    const { word, detail, decision } = bedOf(removed.bed);
    const isCounting = state.counting?.what === "bed" && state.counting.number === removed.number;
    const card = make(
      "article",
      "card",
      make("h3", "", t.service(removed.name)),
      make("b", "word", isCounting && removed.bed === null ? t.resection.counting : word),
      make("p", "detail", detail),
      make(
        "div",
        "keys",
        this.key(t.resection.countBed, isNewest ? "B" : "", { action: "count_bed", number: removed.number }, state.counting !== null),
        this.key(t.resection.notOut, "", { action: "restore", number: removed.number }),
      ),
    );
    card.dataset["state"] = decision;
    card.setAttribute("aria-label", `${t.service(removed.name)}: ${word}`);
    return card;
  }

  private specimens(state: ResectionState): HTMLElement {
    const isBusy = state.counting !== null;
    const rows = [...state.specimens].reverse().map((specimen) => this.specimen(specimen, state.removed));
    const background =
      state.background_cps === null ? t.resection.backgroundUnknown : t.resection.background(fixed(state.background_cps, 1));
    const empty = rows.length === 0 ? [make("p", "hint", t.resection.holdToSpecimen)] : [];
    return make(
      "section",
      "specimens",
      make(
        "div",
        "keys",
        this.key(t.resection.specimen, "S", { action: "count_specimen" }, isBusy),
        this.key(t.resection.countBackground, "", { action: "count_background" }, isBusy),
      ),
      make("p", "hint", t.resection.onTheBench(background)),
      ...empty,
      ...rows,
    );
  }

  private specimen(specimen: SpecimenState, taken: readonly RemovedState[]): HTMLElement {
    const { rate, share, word } = specimenOf(specimen);
    const drop = this.key("\u00d7", "", { action: "discard", number: specimen.number });
    drop.setAttribute("aria-label", t.resection.discard(specimen.number));
    const row = make(
      "div",
      "row",
      make("b", "number", String(specimen.number)),
      make("span", "figures", make("b", "", rate), make("span", "", share)),
      make("b", "word", word),
      drop,
      ...this.labels(specimen, taken),
    );
    row.dataset["state"] = specimen.rule ?? "none";
    row.setAttribute("aria-label", t.resection.row(specimen.number, `${rate}, ${share}, ${word}`));
    return row;
  }

  /** Whose it is: a touch goes on to the next removed target, and to none; and how the last change is taken back. */
  private labels({ number, of }: SpecimenState, taken: readonly RemovedState[]): readonly HTMLElement[] {
    const names: readonly (string | null)[] = [...new Set(taken.map((each) => each.name)), null];
    if (names.length === 1 && of === null) return [];
    const next = names[(names.indexOf(of) + 1) % names.length] ?? null;
    const label = button(of === null ? t.resection.ofNone : t.resection.of(t.service(of)), "", `label ${number}`);
    label.setAttribute("aria-label", t.resection.labelled(number, of === null ? t.resection.ofNone : t.service(of)));
    label.addEventListener("click", () => void this.relabel(number, of, next));
    if (this.undoing?.number !== number) return [make("div", "keys of", label)];
    const undo = button(t.resection.undo, "Z", `undo ${number}`);
    undo.addEventListener("click", () => this.undo());
    return [make("div", "keys of", label, undo)];
  }

  private key(words: string, key: string, asked: Asked, isDisabled = false): HTMLButtonElement {
    const made = button(words, key, `${asked.action} ${asked.target ?? asked.number ?? ""}`);
    made.disabled = isDisabled;
    made.addEventListener("click", () => this.ask(asked));
    return made;
  }
}

function button(words: string, key: string, does: string): HTMLButtonElement {
  const made = make("button", "", words, ...(key ? [" ", make("span", "", key)] : []));
  made.type = "button";
  made.dataset["does"] = does;
  return made;
}

/** Whether that is still what is said of the specimen. */
function isLast({ number, became, revision }: Undoing, state: ResectionState): boolean {
  const specimen = state.specimens.find((each) => each.number === number);
  return specimen !== undefined && (specimen.of === became || state.revision === revision);
}

function undoingOf(kept: unknown): Undoing | null {
  const { number, was, became, revision } = fieldsOf(kept) ?? {};
  if (typeof number !== "number" || typeof revision !== "number") return null;
  return isLabel(was) && isLabel(became) ? { number, was, became, revision } : null;
}

function isLabel(kept: unknown): kept is string | null {
  return kept === null || typeof kept === "string";
}

/** Located targets, the one that the guidance is about first. */
function markable(moment: Moment): readonly string[] {
  const located = moment.state.targets.filter((target) => target.kind === "target" && target.localisable);
  const guided = moment.state.guidance.target;
  return located.map((target) => target.name).sort((one, other) => Number(other === guided) - Number(one === guided));
}
