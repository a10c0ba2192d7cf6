/** The hospital's worklist: who is scheduled today, and a patient of it confirmed by two identifiers. */

import type { PatientChoice, ScheduledEntry, Worklist } from "../feed-types";
import { act } from "../feed/acts";
import { authorised } from "../feed/admission";
import { mustBeGood, whyNot } from "../feed/answers";
import { make } from "../kit/elements";
import { t } from "../kit/language";
import { personName } from "../kit/words";

export class WorklistPart {
  private readonly element = make("section", "worklist");
  private list: Worklist | null = null;
  private trouble = "";
  /** Who is being confirmed, and which of both identifiers match. */
  private asked: { entry: ScheduledEntry; matching: Set<string> } | null = null;

  constructor(private readonly onChosen: () => void) {}

  /** Write it anew, in the page's language as it is now. */
  show(): HTMLElement {
    this.render();
    return this.element;
  }

  /** Say no more who is scheduled. */
  forget(): void {
    this.list = null;
    this.asked = null;
    this.trouble = "";
  }

  private async ask(): Promise<void> {
    this.asked = null;
    this.trouble = "";
    try {
      const answer = await fetch("/v1/worklist", { headers: authorised({}) });
      if (answer.status === 401 || answer.status === 403) document.dispatchEvent(new CustomEvent("person-wanted"));
      mustBeGood(answer);
      this.list = (await answer.json()) as Worklist;
    } catch (error) {
      this.trouble = t.worklist.failed(whyNot(error));
    }
    this.render();
  }

  private render(): void {
    const trouble = this.trouble ? [make("p", "trouble", this.trouble)] : [];
    for (const said of trouble) said.setAttribute("role", "alert");
    const asked = this.asked;
    const content = asked ? this.confirmation(asked.entry, asked.matching) : this.listed();
    this.element.replaceChildren(make("h3", "", t.worklist.title), ...trouble, ...content);
  }

  private listed(): HTMLElement[] {
    const steps = this.list?.steps.map((entry) => this.row(entry)) ?? [];
    const none = this.list && steps.length === 0 ? [make("p", "", t.worklist.none)] : [];
    const troubles = this.list?.troubles.map((said) => make("p", "trouble", said)) ?? [];
    return [key(t.worklist.ask, () => void this.ask()), ...steps, ...none, ...troubles];
  }

  private row(entry: ScheduledEntry): HTMLElement {
    const time = entry.start_time.slice(0, 4).replace(/^(\d\d)(\d\d)$/, "$1:$2");
    const choose = key(`${time} ${personName(entry.patient_name)}`, () => {
      this.asked = { entry, matching: new Set() };
      this.trouble = "";
      this.render();
    });
    choose.disabled = entry.patient_id === "";
    const born = entry.birth_date ? [t.worklist.born(entry.birth_date)] : [];
    const who = [t.header.id(entry.patient_id || t.studies.missing), ...born].join(", ");
    const said = `${who} · ${entry.procedure || t.worklist.noProcedure} ${entry.modality}`;
    return make("article", "study", choose, make("p", "identity", said));
  }

  /** Two identifiers, each confirmed by its own touch. */
  private confirmation(entry: ScheduledEntry, matching: Set<string>): HTMLElement[] {
    const identifier = (title: string, value: string): HTMLElement => {
      const button = key("", () => {
        if (!matching.delete(title)) matching.add(title);
        this.render();
      });
      button.className = "identifier";
      button.append(make("span", "", title), make("b", "", value));
      button.setAttribute("role", "checkbox");
      button.setAttribute("aria-checked", String(matching.has(title)));
      return button;
    };
    const begin = key(t.worklist.bothMatch, () => void this.choose(entry));
    begin.className = "confirm";
    begin.disabled = matching.size < 2;
    const back = key(t.studies.notThis, () => {
      this.asked = null;
      this.render();
    });
    return [
      make("p", "", t.studies.compare),
      identifier(t.studies.name, personName(entry.patient_name)),
      identifier(t.studies.id, entry.patient_id),
      begin,
      back,
    ];
  }

  private async choose(entry: ScheduledEntry): Promise<void> {
    const choice: PatientChoice = {
      revision: this.list!.revision,
      patient_id: entry.patient_id,
      patient_name: entry.patient_name,
    };
    const { refusal } = await act("/v1/procedure/patient", choice);
    if (!refusal) {
      this.list = null;
      this.onChosen();
    }
    this.asked = null;
    this.trouble = refusal ? t.worklist.notBegun(t.service(refusal)) : "";
    this.render();
  }
}

function key(name: string, onClick: () => void): HTMLButtonElement {
  const button = make("button", "", name);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
}
