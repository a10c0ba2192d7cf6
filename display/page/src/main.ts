/** The surgeon's display: takes each state of the feed, draws it, and asks for the next. */

import { AgreementGauge } from "./aim/agreement-gauge";
import { AimPanel } from "./aim/aim-panel";
import { CalibrationPanel } from "./calibration/calibration-panel";
import { token } from "./feed/admission";
import { EventLine } from "./feed/event-line";
import { Feed } from "./feed/feed";
import { watchForFreezing } from "./feed/frozen-watch";
import { Moment } from "./feed/moment";
import { Distance } from "./kit/distance";
import { find } from "./kit/elements";
import { keyOf } from "./kit/keys";
import { beginSpeaking, hearLanguage } from "./kit/language";
import { ProcedurePanel } from "./procedure/procedure-panel";
import { ResectionPanel } from "./procedure/resection-panel";
import { RatePanel } from "./rate/rate-panel";
import { StatusSounds } from "./rate/status-sounds";
import { Tone } from "./rate/tone";
import { Trend } from "./rate/trend";
import { SlicesPanel } from "./slices/slices-panel";
import { StudiesPanel } from "./studies/studies-panel";
import { Header } from "./trust/header";
import { SignInPanel } from "./trust/sign-in-panel";
import { TrustStrip } from "./trust/trust-strip";

/** Ages go on counting, and silence is noticed, by this timer alone. */
const WATCH_EVERY_MS = 100;

beginSpeaking();
const distance = new Distance();
const tone = new Tone();
const header = new Header();
const rate = new RatePanel(tone);
const agreement = new AgreementGauge();
const trend = new Trend(find("trend", HTMLElement));
const aim = new AimPanel();
const slices = new SlicesPanel();
const resection = new ResectionPanel();
const studies = new StudiesPanel();
const calibration = new CalibrationPanel(() => procedure.close());
const procedure = new ProcedurePanel({
  choosePatient: () => studies.show(),
  beginDrawing: (kind) => slices.drawing.begin(kind),
  calibrate: () => calibration.open(true),
  onOpen: () => calibration.close(),
});
slices.drawing.onSet = (ball, expected) => procedure.enter(ball, expected);
const strip = new TrustStrip(find("trust", HTMLElement));

const sounds = new StatusSounds(tone);
const signIn = new SignInPanel(() => feed.renew());
document.addEventListener("person-wanted", () => signIn.askForPerson());
const events = new EventLine((event) => {
  if (event.kind === "marked") trend.mark(Date.parse(event.at_utc));
});

let session = "";
let toldTo = token();
let isFilled = false;
let shown = -1;
let isDrawing = false;
let drawnAt_ms = -Infinity;

const feed = new Feed(() => {
  const tells = feed.link === "unadmitted" ? null : token();
  if (toldTo !== tells) {
    toldTo = tells;
    studies.forget(); // a person is told of patients of whom the display is not, and nobody without a token of any
  }
  if (feed.hello && feed.hello.session_id !== session) {
    hearLanguage(feed.hello.language ?? "en");
    session = feed.hello.session_id;
    shown = -1;
    trend.forget();
    isFilled = false;
    events.connect();
    studies.forget();
    calibration.forget();
  }
  if (feed.received && !isFilled) {
    isFilled = true; // not before: only with a state does the page know how long ago the points were
    void trend.fill(() => feed.received);
  }
  if (isDrawing || feed.received === null || feed.received.state.seq === shown) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    const now_ms = performance.now();
    const { received } = feed;
    drawAll(now_ms);
    if (received === null) return;
    shown = received.state.seq;
    const live = new Moment(received, now_ms).rate;
    trend.note(now_ms, live?.rate_cps ?? null, live?.background_cps ?? null);
    const { number, step } = received.state.procedure;
    studies.follow(received.state.studies_revision, number > 0 && step !== "ended", now_ms);
    feed.drawn(shown);
  });
});

function drawAll(now_ms: number): void {
  drawnAt_ms = now_ms;
  const moment = feed.received && new Moment(feed.received, now_ms);
  header.draw(feed, moment);
  if (feed.link === "unadmitted") signIn.askForDisplay();
  else if (feed.link === "open") signIn.displayIsIn();
  sounds.draw(moment);
  rate.draw(moment, now_ms);
  agreement.draw(moment);
  aim.draw(moment);
  slices.draw(moment);
  resection.draw(moment, now_ms);
  procedure.draw(moment, now_ms);
  strip.draw(moment);
}

window.setInterval(() => {
  const now_ms = performance.now();
  feed.watch(now_ms);
  if (now_ms - drawnAt_ms >= WATCH_EVERY_MS) drawAll(now_ms);
  const moment = feed.received && new Moment(feed.received, now_ms);
  if (moment?.rate == null) trend.note(now_ms, null, null);
  trend.draw(now_ms, moment);
  events.watch(now_ms);
}, WATCH_EVERY_MS);

document.addEventListener("keydown", (event) => {
  if (event.target instanceof HTMLInputElement) return; // a reason that is being written is no command
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  const key = keyOf(event, feed.hello?.keys ?? []);
  if (event.key.length > 1 && key.length === 1) event.preventDefault(); // a pedal's Page Down must not scroll
  const isOnButton = event.target instanceof HTMLButtonElement && key === "enter"; // which that key presses
  if (!isOnButton && slices.drawing.press(key)) {
    event.preventDefault();
    return;
  }
  if (key === "m") rate.touchTone();
  if (key === "h") rate.hold(performance.now());
  if (key === "j") rate.forgetPeak();
  if (key === "g") rate.takeReference();
  if (key === "d") distance.turn();
  if (key === "v") slices.overlay.turn();
  slices.press(key);
  resection.press(key);
  procedure.press(key);
  calibration.press(key);
  tone.start();
});
// browsers start sound only after a touch or a key, anywhere on the page; the tone's own button sees to itself
document.addEventListener("pointerdown", (event) => {
  if (!find("tone", HTMLElement).contains(event.target as Node)) tone.start();
});
for (const panel of [procedure, calibration, resection, studies]) panel.reopen();
tone.start();
watchForFreezing();
feed.connect();
