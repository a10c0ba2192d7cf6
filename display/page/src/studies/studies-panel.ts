/** Received studies: what was made of each, and which is in use once its patient is confirmed. */

import type { StudyChoice, StudyEntry, StudyList } from "../feed-types";
import { act } from "../feed/acts";
import { authorised } from "../feed/admission";
import { mustBeGood, whyNot } from "../feed/answers";
import { find, make, write } from "../kit/elements";
import { t } from "../kit/language";
import { rememberOpen, wasOpen } from "../kit/remembered";
import { dateTime, personName } from "../kit/words";
import { framesOf } from "./study-frames";
import { WorklistPart } from "./worklist";

const RETRY_MS = 2000;

export class StudiesPanel {
  private readonly panel = find("studies", HTMLElement);
  private readonly button = find("studies-button", HTMLButtonElement);
  private revision: number | null = null;
  private retryAt_ms = 0;
  /** Whether a person has confirmed the patient of a procedure that goes on. */
  private isBegun = true;
  /** What was received; null before the service has said so. */
  private list: StudyList | null = null;
  /** The study whose patient is being confirmed, and what of it is. */
  private asked: { study: StudyEntry; isName: boolean; isId: boolean } | null = null;
  private trouble = "";
  private readonly worklist = new WorklistPart(() => this.open(false));

  constructor() {
    this.button.addEventListener("click", () => this.open(this.panel.hidden));
    document.addEventListener("language", () => this.render());
    this.render();
  }

  /** Fetch the list anew where the service has another revision of it. */
  follow(revision: number | null, isBegun: boolean, now_ms: number): void {
    if (isBegun !== this.isBegun) {
      this.isBegun = isBegun;
      this.render();
    }
    if (revision === null || revision === this.revision || now_ms < this.retryAt_ms) return;
    this.revision = revision;
    void this.refresh();
  }

  /** Another run of the service, whose revisions count from the beginning, or somebody else before the display. */
  forget(): void {
    this.revision = null;
    this.list = null;
    this.asked = null;
    this.trouble = "";
    this.worklist.forget();
    this.render();
  }

  /** Open the list, above all else. */
  show(): void {
    this.open(true);
  }

  /** Be open where it was before this page was loaded anew; whoever was being confirmed is to be confirmed anew. */
  reopen(): void {
    this.open(wasOpen("studies"));
  }

  private open(isOpen: boolean): void {
    rememberOpen("studies", isOpen);
    this.panel.hidden = !isOpen;
    this.button.setAttribute("aria-expanded", String(isOpen));
    this.asked = null;
    this.trouble = "";
    this.render();
  }

  private async refresh(): Promise<void> {
    try {
      const answer = await fetch("/v1/studies", { headers: authorised({}) });
      mustBeGood(answer);
      this.list = (await answer.json()) as StudyList;
      // a study that changed while its patient was being confirmed is another study
      const asked = this.asked;
      const same = this.list.studies.find((study) => study.study_uid === asked?.study.study_uid);
      if (asked && JSON.stringify(same) !== JSON.stringify(asked.study)) this.asked = null;
      this.trouble = "";
    } catch (error) {
      this.trouble = t.studies.failed(whyNot(error));
      this.revision = null;
      this.retryAt_ms = performance.now() + RETRY_MS;
    }
    this.render();
  }

  private render(): void {
    write(this.button, this.list ? t.header.studies(this.list.studies.length, this.list.is_partial ?? false) : t.header.studiesUnknown);
    const trouble = make("p", "trouble", this.trouble);
    trouble.setAttribute("role", "alert");
    const content = this.asked && this.list ? this.confirmation(this.asked, this.list.revision) : [...this.received(), this.worklist.show()];
    this.panel.replaceChildren(this.heading(), trouble, ...content);
  }

  private received(): HTMLElement[] {
    if (this.list === null) return [make("p", "", t.studies.unknown)];
    const { studies, is_partial: isPartial = false } = this.list;
    const rest = isPartial ? [signInForAll()] : studies.length === 0 ? [make("p", "", t.studies.empty)] : [];
    return [...studies.map((study) => this.entry(study)), ...rest];
  }

  private heading(): HTMLElement {
    const close = make("button", "", t.general.close);
    close.type = "button";
    close.addEventListener("click", () => this.open(false));
    return make("div", "heading", make("h2", "", this.asked ? t.studies.isThis : t.studies.title), close);
  }

  private entry(study: StudyEntry): HTMLElement {
    const series = study.series.map((entry) => {
      const fate = entry.accepted ? t.studies.accepted : t.studies.refused(t.service(entry.reason));
      const row = make("li", "", `${entry.modality} ${entry.description}, ${t.studies.objects(entry.objects)} – ${fate}`);
      row.dataset["state"] = entry.accepted ? "accepted" : "refused";
      return row;
    });
    const article = make(
      "article",
      "study",
      make("h3", "", personName(study.patient_name)),
      make("p", "identity", `${t.header.id(study.patient_id || t.studies.missing)} · ${dateTime(study.taken_at_utc)}`),
      make("p", "", `${study.description || t.studies.noDescription}, ${t.studies.from(t.studies.objects(study.objects), study.received_from)}`),
      make("ul", "", ...series),
    );
    if (study.conflicts > 0) {
      article.append(make("p", "conflict", t.studies.conflicts(t.studies.objects(study.conflicts))));
    }
    article.append(...framesOf(study, (refusal) => this.complain(refusal)));
    article.dataset["state"] = study.in_use ? "in-use" : study.usable ? "usable" : "unusable";
    if (study.in_use) article.append(make("b", "in-use", t.studies.inUse));
    if (study.usable && !(study.in_use && this.isBegun)) article.append(this.useButton(study));
    return article;
  }

  private useButton(study: StudyEntry): HTMLElement {
    const use = make("button", "", study.in_use ? t.studies.confirmPatient : t.studies.use);
    use.type = "button";
    use.addEventListener("click", () => {
      this.asked = { study, isName: false, isId: false };
      this.trouble = "";
      this.render();
    });
    return use;
  }

  /** Two identifiers, each confirmed by its own touch: one touch too many is cheaper than the wrong map. */
  private confirmation(asked: NonNullable<typeof this.asked>, revision: number): HTMLElement[] {
    const { study } = asked;
    const name = this.check(t.studies.name, personName(study.patient_name), asked.isName, () => (asked.isName = !asked.isName));
    const id = this.check(t.studies.id, study.patient_id, asked.isId, () => (asked.isId = !asked.isId));
    const use = make("button", "confirm", t.studies.bothMatch);
    use.type = "button";
    use.disabled = !(asked.isName && asked.isId);
    use.addEventListener("click", () => void this.choose(study, revision));
    const back = make("button", "", t.studies.notThis);
    back.type = "button";
    back.addEventListener("click", () => {
      this.asked = null;
      this.render();
    });
    const taken = make("p", "", `${study.description || t.studies.noDescription}, ${dateTime(study.taken_at_utc)}`);
    return [make("p", "", t.studies.compare), name, id, taken, use, back];
  }

  private check(title: string, value: string, isChecked: boolean, toggle: () => void): HTMLElement {
    const button = make("button", "identifier", make("span", "", title), make("b", "", value || t.studies.missing));
    button.dataset["said"] = isChecked ? t.studies.matches : t.studies.touch;
    button.type = "button";
    button.setAttribute("role", "checkbox");
    button.setAttribute("aria-checked", String(isChecked));
    button.addEventListener("click", () => {
      toggle();
      this.render();
      [...this.panel.querySelectorAll<HTMLButtonElement>(".identifier")]
        .find((other) => other.firstChild?.textContent === title)
        ?.focus();
    });
    return button;
  }

  private complain(trouble: string): void {
    this.trouble = trouble;
    this.render();
  }

  private async choose(study: StudyEntry, revision: number): Promise<void> {
    const { study_uid, patient_id, patient_name } = study;
    const choice: StudyChoice = { study_uid, patient_id, patient_name, revision };
    const { refusal } = await act("/v1/procedure", choice);
    if (refusal) {
      this.complain(t.studies.notInUse(t.service(refusal)));
      return;
    }
    this.open(false);
    void this.refresh();
  }
}

/** Others came of whom a display is not told: a person is. */
function signInForAll(): HTMLElement {
  const button = make("button", "", t.studies.partial);
  button.type = "button";
  button.addEventListener("click", () => document.dispatchEvent(new CustomEvent("person-wanted")));
  return button;
}
