/** Where a display's token is typed once, and where a person signs in to act. */

import { person, signIn, signOut } from "../feed/admission";
import { find, make, write } from "../kit/elements";
import { t } from "../kit/language";

export class SignInPanel {
  private readonly panel = find("sign-in", HTMLElement);
  private readonly button = find("person-button", HTMLButtonElement);
  private trouble = "";

  /** @param onChange called after somebody was let in or has left */
  constructor(private readonly onChange: () => void) {
    this.button.addEventListener("click", () => void this.press());
    document.addEventListener("language", () => {
      this.tell();
      if (!this.panel.hidden) this.open(this.panel.dataset["state"] === "display" ? "display" : "person");
    });
    this.tell();
  }

  /** Ask for the display's own token, unless somebody is signing in, which lets her in too. */
  askForDisplay(): void {
    if (this.panel.hidden) this.open("display");
  }

  /** The display was let in, by what was typed or by the token that it had: nobody is asked for one. */
  displayIsIn(): void {
    if (!this.panel.hidden && this.panel.dataset["state"] === "display") this.close();
  }

  /** Ask for a person, because what she wanted to do needs one. */
  askForPerson(): void {
    this.open("person");
  }

  private async press(): Promise<void> {
    if (person() !== "") {
      await signOut();
      this.tell();
      this.onChange();
    } else if (!this.panel.hidden && this.panel.dataset["state"] === "person") this.close();
    else this.askForPerson(); // also where the display's token is asked for: she is let in with her own
  }

  private close(): void {
    this.panel.hidden = true;
    this.panel.replaceChildren(); // what was typed is nowhere any more, and the next key is nobody's name
    this.trouble = "";
  }

  private tell(): void {
    write(this.button, person() === "" ? t.page.signIn : t.header.signOut(person()));
  }

  private open(who: "display" | "person"): void {
    this.panel.hidden = false;
    this.panel.dataset["state"] = who;
    const name = field(t.signIn.name, "text");
    const secret = field(who === "display" ? t.signIn.token : t.signIn.secret, "password");
    const go = make("button", "", who === "display" ? t.signIn.letIn : t.page.signIn);
    go.type = "submit";
    const trouble = make("p", "trouble", this.trouble);
    trouble.setAttribute("role", "alert");
    const title = who === "display" ? t.signIn.notAdmitted : t.signIn.who;
    const back = make("button", "", t.general.notNow);
    back.type = "button";
    back.addEventListener("click", () => this.close());
    const form = make("form", "", make("h2", "", title), ...(who === "person" ? [name] : []), secret, trouble, go, ...(who === "person" ? [back] : []));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.send(who === "person" ? name.value : "", secret.value, trouble);
    });
    this.panel.replaceChildren(form);
    (who === "person" ? name : secret).focus();
  }

  private async send(name: string, secret: string, trouble: HTMLElement): Promise<void> {
    this.trouble = t.service(await signIn(name, secret));
    write(trouble, this.trouble);
    if (this.trouble) return;
    this.close();
    this.tell();
    this.onChange();
  }
}

function field(words: string, type: "text" | "password"): HTMLInputElement {
  const input = make("input", "");
  input.type = type;
  input.placeholder = words;
  input.autocomplete = "off";
  input.setAttribute("aria-label", words);
  return input;
}
