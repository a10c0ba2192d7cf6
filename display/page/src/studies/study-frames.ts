/** What joins CT and activity of a study, on whose word; and a person's answer for two frames that nothing joins. */

import type { FramesApart, FramesRequest, StudyEntry } from "../feed-types";
import { act } from "../feed/acts";
import { make } from "../kit/elements";
import { t } from "../kit/language";

/** Lines for the list of studies; `refuse` shows why nothing was done. */
export function framesOf(study: StudyEntry, refuse: (sentence: string) => void): HTMLElement[] {
  const told = study.joined_by ? [make("p", "joined", t.frames.joined(t.service(study.joined_by)))] : [];
  return [...told, ...(study.apart ?? []).map((pair) => question(study, pair, refuse))];
}

/** Asked twice: whoever touches it by chance has answered for nothing. */
function question(study: StudyEntry, pair: FramesApart, refuse: (sentence: string) => void): HTMLElement {
  const button = make("button", "", t.frames.ask);
  button.type = "button";
  button.addEventListener("click", () => {
    if (button.textContent === t.frames.ask) {
      button.textContent = t.frames.sure;
      return;
    }
    button.disabled = true;
    const request: FramesRequest = { study_uid: study.study_uid, ...pair, is_same: true };
    void act("/v1/frames", request).then(({ refusal }) => {
      button.disabled = false;
      if (refusal) refuse(t.service(refusal));
    });
  });
  return make("div", "apart", make("p", "", t.frames.apart), button);
}
