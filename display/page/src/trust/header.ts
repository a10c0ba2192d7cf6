/** The banners, the study in use, and the state of the connection. */

import type { Feed } from "../feed/feed";
import type { Moment } from "../feed/moment";
import { find, mark, write } from "../kit/elements";
import { t } from "../kit/language";
import { age, dateTime, personName } from "../kit/words";

export class Header {
  private readonly simulated = find("simulated", HTMLElement);
  private readonly replay = find("replay", HTMLElement);
  private readonly study = find("study", HTMLElement);
  private readonly name = find("patient-name", HTMLElement);
  private readonly id = find("patient-id", HTMLElement);
  private readonly taken = find("study-taken", HTMLElement);
  private readonly connection = find("connection", HTMLElement);
  private readonly place = find("place", HTMLElement);

  draw(feed: Feed, moment: Moment | null): void {
    // once simulated or replayed, shown until the service itself says otherwise: also while the feed is silent
    this.simulated.hidden = !(moment?.state.simulated || feed.hello?.simulated);
    this.replay.hidden = !(moment?.state.replayed || feed.hello?.replayed);
    const study = moment?.state.study ?? null;
    mark(this.study, study ? "in-use" : "none");
    write(this.name, study ? personName(study.patient_name) : t.header.noStudy);
    write(this.id, study ? t.header.id(study.patient_id) : "");
    write(this.taken, study ? dateTime(study.taken_at_utc) : "");
    write(this.place, feed.hello ? `${feed.hello.site} · ${feed.hello.room}` : "");
    const state = connectionState(feed, moment);
    document.body.dataset["feed"] = state;
    mark(this.connection, state);
    write(this.connection, connectionWords(feed, moment, state));
  }
}

function connectionState(feed: Feed, moment: Moment | null): "live" | "stale" | "connecting" | "foreign" {
  if (feed.link === "foreign") return "foreign";
  if (moment === null) return "connecting";
  return moment.isLive ? "live" : "stale";
}

function connectionWords(feed: Feed, moment: Moment | null, state: string): string {
  if (state === "live") return t.header.live;
  if (feed.link === "unadmitted") return t.header.notAdmitted;
  if (state === "foreign") return t.header.foreign;
  const refusal = feed.refusal && ` (${t.service(feed.refusal)})`;
  if (moment === null) return `${feed.link === "open" ? t.header.waiting : t.header.connecting}${refusal}`;
  return `${t.header.noLiveData(wholeSeconds(moment.since_s))}${refusal}`;
}

/** A status that changed ten times a second would drown a screen reader. */
function wholeSeconds(seconds: number): string {
  return seconds < 120 ? `${Math.floor(seconds)} ${t.units.s}` : age(seconds);
}
