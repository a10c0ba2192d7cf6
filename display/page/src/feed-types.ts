// Written by `python -m display.typescript` from display/messages/: change that, not this.

export const VERSION = "2.2";
export const SUBPROTOCOL = "radionav.v1";

/** First message of every connection. */
export interface Hello {
  readonly type: "hello";
  readonly version: string;
  /** Changes when the service restarts: drop what you hold. */
  readonly session_id: string;
  /** True: show SIMULATED across the display, always. */
  readonly simulated: boolean;
  readonly site: string;
  readonly room: string;
  readonly server_monotonic_s: number;
  readonly server_time_utc: string;
  /** Grey out an input, or all, after this silence. */
  readonly stale_after_s: number;
  /** Of the page, until somebody chooses. */
  readonly language?: "en" | "ru";
  /** From the site file. */
  readonly keys?: readonly KeyState[];
  /** True: recorded before, not of now; show REPLAY, always. */
  readonly replayed?: boolean;
}

/** What a key does besides the page's own, as that of a foot pedal. */
export interface KeyState {
  /** As `KeyboardEvent.key` or `.code` calls it. */
  readonly key: string;
  readonly act: "background" | "bed" | "calibration" | "colours" | "distance" | "excision" | "feet" | "head" | "hold" | "live image" | "lock" | "mark" | "next step" | "out" | "peak" | "procedure" | "sound" | "specimen" | "undo" | "window";
}

/** All that a display shows, as of now; the newest only, sent on ``next``. */
export interface State {
  readonly type: "state";
  /** Counts frames made; gaps are frames this display was spared. */
  readonly seq: number;
  readonly session_id: string;
  readonly simulated: boolean;
  /** Date of the calibration of the probe in hand; null without one. */
  readonly calibrated_at: string | null;
  /** Whether the study is joined to the patient on the table. */
  readonly registered: boolean;
  readonly server_monotonic_s: number;
  readonly server_time_utc: string;
  /** Frames made since the last one sent to this display. */
  readonly spared: number;
  readonly devices: readonly DeviceState[];
  readonly rate: RateState | null;
  readonly pose: PoseState | null;
  readonly targets: readonly TargetState[];
  readonly guidance: GuidanceState;
  readonly posterior: PosteriorState | null;
  /** Null where none shines in. */
  readonly shine: ShineState | null;
  /** Counts left out since the estimate was begun, most first. */
  readonly rejections: readonly RejectionState[];
  readonly study: StudyState | null;
  /** Null before the first, and without a map. */
  readonly live_image: LiveImageState | null;
  readonly resection: ResectionState;
  readonly procedure: ProcedureState;
  /** Changes when ``GET /v1/studies`` does. */
  readonly studies_revision: number;
  /** Greatest rate since it was begun anew, of this procedure, patient and probe. */
  readonly peak: KeptRateState | null;
  /** That a person chose to compare with; null: that of the probe's calibration. */
  readonly background: KeptRateState | null;
  readonly path: PathState;
  /** True: recorded before, not of now; show REPLAY, always. */
  readonly replayed?: boolean;
}

/** One device's link and the age of what it delivered. */
export interface DeviceState {
  /** Name in the site file. */
  readonly name: string;
  /** What it is. */
  readonly kind: "dicom" | "mqtt" | "probe" | "recorder" | "tracker";
  /** What to call it on a screen. */
  readonly label: string;
  /** State of the link. */
  readonly state: "connecting" | "live" | "lost" | "silent";
  /** What is wrong and what to do; while live empty, or whom the node refused. */
  readonly detail: string;
  /** Whether navigation depends on it. */
  readonly primary: boolean;
  /** Age of its newest reading; null before the first. */
  readonly age_s: number | null;
  /** Silence after which its readings are stale; null: as in ``hello``. */
  readonly stale_after_s?: number | null;
  /** False for what sends only now and then: whether it is there its ``state`` says alone. */
  readonly streams?: boolean;
  /** Null for a device without frame numbers, or without a link. */
  readonly timing?: TimingState | null;
  /** Null for a device that gives no account of its link. */
  readonly traffic?: TrafficState | null;
  /** Null where it says nothing of itself. */
  readonly condition?: ConditionState | null;
  /** While live: tools of navigation that it says something of, the probe's first. */
  readonly tools?: readonly ToolState[];
}

/** How well the times of a device's numbered frames are known: a line through when they came. */
export interface TimingState {
  /** Of the newest 60 arrivals about the line through them, RMS; null before a line. */
  readonly jitter_ms: number | null;
  /** Of the newest frame's time, RMS; null likewise. */
  readonly uncertainty_ms: number | null;
  /** Frames that never came, by their numbers. */
  readonly dropped: number;
  /** Answers with a frame that had come; they are left out. */
  readonly duplicates: number;
  /** How often the line was begun anew. */
  readonly restarts: number;
  /** Why, last: the number went back, frames left out, the clock jumped. */
  readonly reason: string;
}

/** What has come over a device's link since the start. */
export interface TrafficState {
  /** Bytes that came. */
  readonly received_bytes: number;
  /** Frames cut of them, refused ones included. */
  readonly frames: number;
  /** Frames or lines refused. */
  readonly rejected: number;
  /** Readings before which something counted is lost. */
  readonly resyncs: number;
  /** Answers and readings that did not come in their time. */
  readonly timeouts: number;
  /** How often the link was opened again. */
  readonly reconnects: number;
}

/** What a device says of itself; null where it does not say. */
export interface ConditionState {
  /** How long ago it said so. */
  readonly age_s: number;
  /** Voltage of its battery. */
  readonly battery_v: number | null;
  /** Whether it asks for another battery. */
  readonly battery_low: boolean | null;
  /** Temperature of its electronics, degrees Celsius. */
  readonly board_degc: number | null;
  /** Temperature of its detector, degrees Celsius. */
  readonly detector_degc: number | null;
  /** Bias of its detector. */
  readonly high_voltage_v: number | null;
  /** Whether an alarm of its own is on. */
  readonly alarm?: boolean | null;
}

/** A tool by which the room navigates, and what its tracker has to say of it. */
export interface ToolState {
  /** The tool's name, as its tracker has it. */
  readonly name: string;
  /** Whether its newest reading has a pose. */
  readonly is_seen: boolean;
  /** Why there is no pose, or what is amiss with it, and what to do. */
  readonly said: string;
}

/** Count rate of the probe in hand, over the newest readings that fill the integration time. */
export interface RateState {
  /** The probe's name in the site file. */
  readonly device: string;
  /** Dead-time-corrected rate; null when beyond correction. */
  readonly rate_cps: number | null;
  /** Lower end of the rate's 68 % interval. */
  readonly low_cps: number;
  /** Upper end; null when beyond correction. */
  readonly high_cps: number | null;
  /** Counts as counted in that time. */
  readonly counts: number;
  /** Live time that they were counted in. */
  readonly integration_s: number;
  /** Share of the true counts that dead time hides. */
  readonly dead_fraction: number;
  /** From the probe's calibration; null without one. */
  readonly background_cps: number | null;
  /** Trust in it. */
  readonly status: "ok" | "overload" | "resynced" | "saturated";
  /** Seconds since it was measured, at the time of sending. */
  readonly age_s: number;
  /** Above 0: made of a rate meter's values, whose smoothing over this time is undone. */
  readonly time_constant_s?: number;
}

/** Where the probe's tip is and which way it looks. */
export interface PoseState {
  /** The tip in patient axes. */
  readonly tip_mm: readonly [number, number, number];
  /** Unit vector from the tip the way it looks, patient axes. */
  readonly axis: readonly [number, number, number];
  /** Rotation by rows; columns are left, up, ahead. */
  readonly patient_from_tip: readonly [readonly [number, number, number], readonly [number, number, number], readonly [number, number, number]];
  /** The tracker's own residual, RMS. */
  readonly tracker_error_mm: number | null;
  /** Of the registration at the tip, RMS (TRE); null: not known. */
  readonly registration_error_mm: number | null;
  /** The error budget at the tip. */
  readonly error?: TipErrorState | null;
  /** Why this position is not trusted, and no count at it believed; empty while it is. */
  readonly doubt?: string;
  /** Seconds since it was measured, at the time of sending. */
  readonly age_s: number;
}

/** How far the shown tip may be from the true one in the patient, and why; null is not known. */
export interface TipErrorState {
  /** Radius that holds the true tip in 95 of 100; null if a part is not known. */
  readonly within_mm: number | null;
  /** Part of the registration, RMS in space, as the others. */
  readonly registration_mm: number | null;
  /** Part of the tracker, at the tip. */
  readonly tracker_mm: number | null;
  /** Part of the tip's calibration. */
  readonly calibration_mm: number | null;
  /** Speed times the delay that is not known. */
  readonly motion_mm: number | null;
  /** Part of tissue that has moved since the scan. */
  readonly tissue_mm: number | null;
}

/** One target: where it is, how sure that is, and where it lies seen from the probe. */
export interface TargetState {
  readonly name: string;
  /** Injection sites and organs are never targets. */
  readonly kind: "injection" | "organ" | "target";
  /** That it is there at all. */
  readonly probability: number;
  /** False: the counts cannot tell yet; draw no position. */
  readonly localisable: boolean;
  /** Why it is not localisable; empty when it is. */
  readonly reason: string;
  /** Posterior mean; null when not localisable. */
  readonly centre_mm: readonly [number, number, number] | null;
  /** Posterior covariance. */
  readonly covariance_mm2: readonly [readonly [number, number, number], readonly [number, number, number], readonly [number, number, number]] | null;
  /** 95 % ellipsoid, longest first. */
  readonly region_semi_axes_mm: readonly [number, number, number] | null;
  /** Its unit axes, one a row, same order. */
  readonly region_axes: readonly [readonly [number, number, number], readonly [number, number, number], readonly [number, number, number]] | null;
  /** Where the preoperative study showed it. */
  readonly mapped_mm: readonly [number, number, number] | null;
  /** Posterior median. */
  readonly activity_mbq: number | null;
  /** In the tip's frame: to its right. */
  readonly tip_right_mm: number | null;
  /** In the tip's frame: up. */
  readonly tip_up_mm: number | null;
  /** In the tip's frame: ahead; the depth if on axis. */
  readonly tip_ahead_mm: number | null;
  /** From the tip to the centre. */
  readonly distance_mm: number | null;
  /** Half the 95 % interval of it. */
  readonly distance_half_width_mm: number | null;
  /** Angle between the look direction and the target. */
  readonly off_axis_deg: number | null;
}

/** What to do next, in words. */
export interface GuidanceState {
  /** The target that it is about. */
  readonly target: string | null;
  /** One sentence for the surgeon. */
  readonly sentence: string;
  /** Rate that the posterior predicts where the probe last counted. */
  readonly expected_rate_cps: number | null;
  /** What the tip's last second did to its distance from the target. */
  readonly motion: "away" | "still" | "toward" | null;
  /** Of the target's centre under the skin. */
  readonly depth_mm: number | null;
  /** Half the 95 % interval of it. */
  readonly depth_half_width_mm: number | null;
  /** That the target is there, within 5 mm of its stated centre. */
  readonly probability_near: number | null;
  /** Where to hold the probe next; null where the sentence leads to the target instead. */
  readonly advice: AdviceState | null;
}

/** Where to hold the probe next, seen from where it is now: a pose on the skin, the target located or not. */
export interface AdviceState {
  /** The target that it is to locate; null: one on no map. */
  readonly target: string | null;
  /** Where to hold the tip, patient axes. */
  readonly tip_mm: readonly [number, number, number];
  /** Unit vector the way to look from there, patient axes. */
  readonly axis: readonly [number, number, number];
  /** From the tip to there, patient axes. */
  readonly way_mm: readonly [number, number, number];
  /** In the tip's frame: that way to its right. */
  readonly right_mm: number;
  /** In the tip's frame: that way up. */
  readonly up_mm: number;
  /** In the tip's frame: that way ahead. */
  readonly ahead_mm: number;
  /** Turn the probe to its right by so much. */
  readonly tilt_right_deg: number;
  /** Turn the probe up by so much. */
  readonly tilt_up_deg: number;
  /** The probe is held there. */
  readonly reached: boolean;
  /** How long to hold there. */
  readonly dwell_s: number;
  /** Longest semi-axis of the 95 % region now; null where not located. */
  readonly semi_axis_now_mm: number | null;
  /** The same as expected after the dwell. */
  readonly semi_axis_after_mm: number | null;
  /** Least expected information on where a target is that is not located. */
  readonly information_bit: number | null;
  /** Why there. */
  readonly reason: string;
  /** Seconds since it was measured, at the time of sending. */
  readonly age_s: number;
  /** Age above which it is no advice any more. */
  readonly stale_after_s: number;
}

/** What the estimate rests on. */
export interface PosteriorState {
  /** Tracked counts used so far. */
  readonly readings: number;
  /** Seconds since it was measured, at the time of sending. */
  readonly age_s: number;
  /** Time that the newest update took. */
  readonly update_ms: number;
  /** Calibration in use: probe, nuclide, date. */
  readonly response: string;
  /** False: the counts fit no position; trust no target. */
  readonly consistent: boolean;
  /** False: a target was seen from no distance and angle that was calibrated. */
  readonly within_calibration: boolean;
  /** How often counts contradicted the estimate until it began anew. */
  readonly restarts: number;
  /** Null where no mapped source tells. */
  readonly map_shift: MapShiftState | null;
  /** Null where nothing is expected yet. */
  readonly agreement: AgreementState | null;
}

/** How far the map has moved as a whole since the scan. */
export interface MapShiftState {
  /** From the map to the patient as she lies now. */
  readonly shift_mm: readonly [number, number, number];
  /** Length of it. */
  readonly distance_mm: number;
  /** Half the 95 % interval of the length. */
  readonly half_width_mm: number;
}

/** Newest counts against what the estimate expects of them, at the same poses: one of the two may be wrong. */
export interface AgreementState {
  /** As counted, dead time not corrected. */
  readonly measured_cps: number;
  /** Likewise, by the estimate. */
  readonly expected_cps: number;
  /** Lower end of the 99.7 % interval of measured over expected. */
  readonly low: number;
  /** Upper end of it. */
  readonly high: number;
  /** Live time that was compared. */
  readonly live_time_s: number;
  /** Whether chance and the calibration's error explain the difference. */
  readonly verdict: "agrees" | "fewer" | "more";
}

/** An injection site or an organ that shines into the probe as it is held now, by the estimate. */
export interface ShineState {
  readonly name: string;
  /** Of the expected rate that all such sources make. */
  readonly share: number;
  /** Rate that this one makes. */
  readonly expected_cps: number;
  /** In the tip's frame: to its right. */
  readonly tip_right_mm: number;
  /** In the tip's frame: up. */
  readonly tip_up_mm: number;
  /** True: the probe mostly counts what is no target. */
  readonly is_warned: boolean;
}

/** Tracked counts that were left out for one reason since the estimate was begun. */
export interface RejectionState {
  /** In words. */
  readonly reason: string;
  /** How many. */
  readonly readings: number;
}

/** The study that the map comes from. */
export interface StudyState {
  readonly study_uid: string;
  readonly patient_id: string;
  readonly patient_name: string;
  readonly description: string;
  /** ISO 8601; null where the objects do not say. */
  readonly taken_at_utc: string | null;
  /** Why CT and activity are in one space: the same Frame of Reference UID, a registration object, or who confirmed it; empty where they are not both there. */
  readonly joined_by?: string;
  /** CT. */
  readonly anatomy: VolumeState | null;
  /** SPECT or PET. */
  readonly activity: VolumeState | null;
  /** Of skin, bone and what is hot. */
  readonly surfaces: readonly SurfaceState[];
}

/** A volume that the page can fetch and slice. */
export interface VolumeState {
  /** Little-endian voxels, i fastest, then j, then k; NaN where a float is not known. */
  readonly url: string;
  readonly etag: string;
  readonly dtype: "float32" | "int16";
  /** Slices, rows, columns (k, j, i). */
  readonly shape: readonly [number, number, number];
  /** Linear part by rows; columns step along k, j, i, mm. */
  readonly patient_from_voxel: readonly [readonly [number, number, number], readonly [number, number, number], readonly [number, number, number]];
  /** Centre of voxel (0, 0, 0). */
  readonly origin_mm: readonly [number, number, number];
  readonly quantity: string;
  readonly unit: string;
  /** Greatest value in it. */
  readonly greatest: number;
}

/** A surface of triangles that the page can fetch: little-endian, positions then indices. */
export interface SurfaceState {
  readonly kind: "activity" | "bone" | "skin";
  /** float32 x, y, z of each vertex, mm (LPS); then three uint32 a triangle. */
  readonly url: string;
  readonly etag: string;
  readonly vertices: number;
  readonly triangles: number;
}

/** The image of the activity that the probe's own counts make, renewed about once a second. */
export interface LiveImageState {
  /** Counts the images made; another number is another image. */
  readonly number: number;
  /** NaN where the counts cannot tell; the newest two can be fetched. Null while nothing can be told. */
  readonly volume: VolumeState | null;
  /** Share of what the probe has looked at in which it is known. */
  readonly coverage: number;
  /** Volume in which it is known. */
  readonly known_ml: number;
  /** Tracked counts that it rests on. */
  readonly readings: number;
  /** Injection sites, whose light was taken off before. */
  readonly without: readonly string[];
  /** Seconds since it was measured, at the time of sending. */
  readonly age_s: number;
  /** Age above which it shows what was, not what is. */
  readonly stale_after_s: number;
}

/** All that was marked and counted of this patient after an excision. */
export interface ResectionState {
  /** Grows with everything that a person does. */
  readonly revision: number;
  readonly removed: readonly RemovedState[];
  /** One thing at a time. */
  readonly counting: CountingState | null;
  readonly specimens: readonly SpecimenState[];
  /** Of the bench, as counted; null: not counted, and not taken off. */
  readonly background_cps: number | null;
  /** Why the last count came to nothing; empty where it did not. */
  readonly trouble: string;
}

/** A target that a person marked as taken out. */
export interface RemovedState {
  /** From 1 in each procedure; never given twice in it. */
  readonly number: number;
  /** As the target was called. */
  readonly name: string;
  /** When, ISO 8601. */
  readonly marked_at_utc: string;
  /** Null before its bed was looked at. */
  readonly bed: BedState | null;
}

/** What the counts over the place of a removed target said when they were looked at last. */
export interface BedState {
  /** All tracked counts that were looked at. */
  readonly counts: number;
  /** Live time of them. */
  readonly live_time_s: number;
  /** Removed: less than a tenth is left. Still there: more. Count on: nobody can tell yet. */
  readonly decision: "count on" | "removed" | "still there";
  /** Activity that is left; null where nothing is told. */
  readonly left_mbq: LimitsState | null;
  /** The same over what was there before. */
  readonly left_share: LimitsState | null;
  /** How much longer to hold the probe as it is; null where that would not decide it. */
  readonly needed_s: number | null;
  /** Why it is open; empty when it is decided. */
  readonly reason: string;
}

/** A quantity that cannot be negative, with a limit on either side. */
export interface LimitsState {
  /** Most likely value; null where the counts give none. */
  readonly best: number | null;
  /** One-sided limit. */
  readonly lower: number;
  /** One-sided limit; null where nothing bounds it. */
  readonly upper: number | null;
  /** Of each limit. */
  readonly confidence: number;
}

/** What is being counted. */
export interface CountingState {
  readonly what: "background" | "bed" | "specimen";
  /** Of the removed target whose bed it is. */
  readonly number: number | null;
  /** So far. */
  readonly counts: number;
  /** So far. */
  readonly live_time_s: number;
  /** Live time at which it ends by itself. */
  readonly most_s: number;
}

/** A specimen as it was counted on the bench, and how it compares with the hottest. */
export interface SpecimenState {
  /** From 1 in each procedure; never given twice in it. */
  readonly number: number;
  /** The removed target that it is said to be of. */
  readonly of: string | null;
  /** As counted. */
  readonly counts: number;
  /** In this time. */
  readonly live_time_s: number;
  /** Dead-time-corrected; null when beyond correction. */
  readonly rate_cps: number | null;
  /** Lower end of its 68 % interval. */
  readonly low_cps: number | null;
  /** Upper end of it. */
  readonly high_cps: number | null;
  /** Of the hottest's net rate, decay taken off; null for the hottest, and where not told. */
  readonly share: LimitsState | null;
  /** Ten-percent rule: hot counts more than a tenth of the hottest. Null: not compared yet. */
  readonly rule: "cold" | "hot" | "hottest" | "undecided" | null;
  /** How much longer to count it; null where that would not decide it. */
  readonly needed_s: number | null;
  /** Why it cannot be compared; empty where it can. */
  readonly reason: string;
}

/** Where the procedure of the patient on the table stands; kept in a database, so that a restart goes on. */
export interface ProcedureState {
  /** Of the procedure; 0: none has begun. */
  readonly number: number;
  /** When it began, ISO 8601; empty likewise. */
  readonly began_at_utc?: string;
  /** Grows with everything that a person does in it. */
  readonly revision: number;
  readonly step: "bed" | "ended" | "ex vivo" | "in vivo" | "incision" | "patient" | "plan" | "skin scan" | "time-out";
  /** Steps that were ever taken, in their order. */
  readonly taken: readonly ("bed" | "ended" | "ex vivo" | "in vivo" | "incision" | "patient" | "plan" | "skin scan" | "time-out")[];
  /** Forward first. */
  readonly moves: readonly MoveState[];
  readonly sources: readonly PlannedState[];
  /** Empty but at the time-out. */
  readonly checklist: readonly CheckState[];
  /** Steps that were taken with a reason in place of a need. */
  readonly overrides: number;
  /** Nothing is kept any more, or a drawing has no place; else empty. */
  readonly trouble: string;
}

/** A step that may be taken from here. */
export interface MoveState {
  readonly to: "bed" | "ended" | "ex vivo" | "in vivo" | "incision" | "patient" | "plan" | "skin scan" | "time-out";
  /** False: back to a step that was taken before. */
  readonly is_forward: boolean;
  /** What is not so yet; then a reason is asked for. */
  readonly unmet: readonly string[];
  /** False: what is missing cannot be overridden. */
  readonly is_possible: boolean;
}

/** A hot spot of the map, for a person to say what it is. */
export interface PlannedState {
  readonly name: string;
  /** What it is taken for until somebody says. */
  readonly proposed: "injection" | "organ" | "target";
  /** What organ it may be instead, and why; empty for none. */
  readonly proposal?: string;
  /** Which nodes beside it the image may not show; empty: no more than any spot hides. */
  readonly masking?: string;
  /** What a person says it is; null: not yet. */
  readonly confirmed: "injection" | "neither" | "organ" | "target" | null;
  /** Where it is: study's patient axes, LPS. */
  readonly centre_mm: readonly [number, number, number];
  /** Of the patient. */
  readonly side: "left" | "midline" | "right";
  /** Under the skin of the CT. */
  readonly depth_mm: number | null;
  /** Decayed to now. */
  readonly activity_mbq: number | null;
  /** Expected with the probe on the skin above it, now. */
  readonly skin_rate_cps: number | null;
  /** A person drew it: it can be erased. Else the map shows it. */
  readonly is_drawn?: boolean;
  /** Of the ball that was drawn; null where none was. */
  readonly radius_mm?: number | null;
  /** What a person expects in it, as she entered it; null: the image says. */
  readonly entered_mbq?: number | null;
  /** When it was so much; null likewise. */
  readonly entered_at_utc?: string | null;
}

/** An item of the time-out. */
export interface CheckState {
  readonly name: string;
  /** What the service knows of it. */
  readonly said: string;
  /** False: it cannot be confirmed, only overridden. */
  readonly is_good: boolean;
  readonly is_confirmed: boolean;
}

/** A rate that was kept to be compared with. */
export interface KeptRateState {
  /** As counted. */
  readonly counts: number;
  /** Dead-time-corrected. */
  readonly rate_cps: number;
  /** Lower end of its 68 % interval. */
  readonly low_cps: number;
  /** Upper end; null when beyond correction. */
  readonly high_cps: number | null;
}

/** How much there is of the way of the tip over the patient; ``GET /v1/path`` answers its points. */
export interface PathState {
  /** Another one: of another patient, scan or registration, or read back; drop your points. */
  readonly number: number;
  /** Points that it has; it grows by one for each 3 mm of way. */
  readonly length: number;
}

/** Each second, whatever else happens: the service is alive. */
export interface Heartbeat {
  readonly type: "heartbeat";
  readonly seq: number;
  readonly server_monotonic_s: number;
}

/** Answer to ``ping``, for the clock offset. */
export interface Pong {
  readonly type: "pong";
  readonly client_ms: number;
  readonly server_monotonic_s: number;
}

/** Why the connection is about to be closed. */
export interface Refusal {
  readonly type: "refusal";
  readonly message: string;
}

/** The display has drawn: send it the newest state once there is one after ``last_seq``. */
export interface Next {
  readonly type: "next";
  /** Newest state drawn; -1 for none. */
  readonly last_seq: number;
}

/** Asks for a ``pong``; the smallest round trip gives the clock offset. */
export interface Ping {
  readonly type: "ping";
  readonly client_ms: number;
}

/** The first message of a connection: the token of the display, or of the person who signed in at it. */
export interface SignIn {
  readonly type: "sign_in";
  readonly token: string;
}

/** Answer to ``GET /v1/studies``, newest first. */
export interface StudyList {
  readonly revision: number;
  readonly studies: readonly StudyEntry[];
  /** Whether others came too, of which only whoever may act is told. */
  readonly is_partial?: boolean;
}

/** A received study and what was made of it. */
export interface StudyEntry {
  readonly study_uid: string;
  readonly patient_id: string;
  readonly patient_name: string;
  readonly description: string;
  readonly taken_at_utc: string | null;
  /** Calling AE title. */
  readonly received_from: string;
  readonly objects: number;
  /** UIDs that several different objects have; all are kept, one is used. */
  readonly conflicts: number;
  readonly in_use: boolean;
  /** Whether it holds a map to navigate by. */
  readonly usable: boolean;
  /** Why its CT and activity are in one space; empty where they are not both there. */
  readonly joined_by?: string;
  /** What a person might confirm to be one space. */
  readonly apart?: readonly FramesApart[];
  readonly series: readonly SeriesEntry[];
}

/** Two frames of reference that nothing joins: what lies in the one has no place in the other. */
export interface FramesApart {
  /** Frame of Reference UID (0020,0052) that the map is in. */
  readonly one_uid: string;
  /** That of images or drawings which are not used for it. */
  readonly other_uid: string;
}

/** What was made of one received series. */
export interface SeriesEntry {
  readonly series_uid: string;
  readonly modality: string;
  readonly description: string;
  readonly objects: number;
  /** Whether it became a volume. */
  readonly accepted: boolean;
  /** Why not, with the DICOM tag; empty when accepted. */
  readonly reason: string;
}

/** Answer to ``GET /v1/studies/<study_uid>``: all that was made of a study, 404 where none of it has come.

    With ``?approach=x,y,z``, a direction from the skin inwards (LPS), the way along it is told too. */
export interface StudyReport {
  readonly study_uid: string;
  readonly patient_id: string;
  readonly patient_name: string;
  readonly description: string;
  /** When the activity was as the values say, ISO 8601. */
  readonly taken_at: string | null;
  /** Why CT and activity are in one space; empty where they are not both there. */
  readonly joined_by: string;
  /** What a person might confirm to be one space. */
  readonly apart: readonly FramesApart[];
  /** Of the radionuclide as the objects name it; null where they name none, or several. */
  readonly half_life_s: number | null;
  /** As the objects name it, two with + between them; null where they name none. */
  readonly nuclide: string | null;
  /** Null without an activity. */
  readonly resolution: ResolutionReport | null;
  /** ``found``, or why there is none. */
  readonly skin: string;
  readonly candidates: readonly CandidateReport[];
  readonly series: readonly SeriesMade[];
}

/** How wide a point is taken to be in the activity: its candidates are found and measured by it. */
export interface ResolutionReport {
  /** Full width at half maximum. */
  readonly fwhm_mm: number;
  /** How well it is known, 1 sigma. */
  readonly sigma_mm: number;
  /** Where it is from: the site, what the objects name, or the image. */
  readonly words: string;
}

/** A spot that stands out of its surroundings, as at the scan; a proposal for a person to confirm. */
export interface CandidateReport {
  readonly name: string;
  readonly kind: "injection" | "target";
  /** What organ it may be instead, and why; empty for none. */
  readonly proposal: string;
  /** ``found``, or where a person drew it. */
  readonly origin: string;
  /** LPS. */
  readonly centre_mm: readonly [number, number, number];
  /** Of the centre; movement since the scan comes on top. */
  readonly covariance_mm2: readonly [readonly [number, number, number], readonly [number, number, number], readonly [number, number, number]];
  /** Null where the values are no activity. */
  readonly activity_mbq: number | null;
  /** It is known to a factor of this, 1 sigma. */
  readonly activity_factor: number;
  /** Value of the hottest voxel. */
  readonly peak: number | null;
  /** Mean within the 50 % outline. */
  readonly mean: number | null;
  /** Above half of the peak, the surroundings taken off. */
  readonly volume_ml: number | null;
  /** Above 41 % of the peak as it is. */
  readonly volume_41_ml: number | null;
  /** Within the steepest fall. */
  readonly volume_gradient_ml: number | null;
  /** Content as a share of the hottest spot's. */
  readonly relative_to_hottest: number | null;
  /** So near a node of ``masked_share`` of it might be missed. Null: not measured. */
  readonly masked_within_mm: number | null;
  /** Of its content; where more than a thousandth, a fainter node might be missed anywhere. */
  readonly masked_share: number | null;
  /** The same in words, for persons; empty: no more than any spot hides. */
  readonly masking: string;
  /** Null where the CT shows no way in. */
  readonly shortest_route: RouteReport | null;
  /** Along ``approach``; null without one, and where the CT shows none. */
  readonly planned_route: RouteReport | null;
}

/** A straight way in. */
export interface RouteReport {
  /** Where it meets the skin, LPS. */
  readonly entry_mm: readonly [number, number, number];
  /** Unit vector from there to the spot. */
  readonly direction: readonly [number, number, number];
  readonly depth_mm: number;
  /** Depth in water that attenuates as much at 140 keV. */
  readonly water_mm: number;
}

/** What was made of one series. */
export interface SeriesMade {
  readonly series_uid: string;
  readonly modality: string;
  readonly description: string;
  readonly objects: number;
  /** Whether it is used. */
  readonly accepted: boolean;
  /** What its values are; or why it is not used, with the tag. */
  readonly reason: string;
  /** Null where its objects do not place it. */
  readonly geometry: GridReport | null;
  /** Of a PET. */
  readonly uptake: UptakeReport | null;
  /** What is used of it. */
  readonly volume: VolumeReport | null;
}

/** Where the voxels of a series lie, by its own objects. */
export interface GridReport {
  /** Slices, rows, columns (k, j, i). */
  readonly shape: readonly [number, number, number];
  /** Between neighbours along k, j, i. */
  readonly spacing_mm: readonly [number, number, number];
  /** Takes (k, j, i, 1) to LPS mm; by rows. */
  readonly patient_from_voxel: readonly [readonly [number, number, number, number], readonly [number, number, number, number], readonly [number, number, number, number], readonly [number, number, number, number]];
  readonly frame_of_reference_uid: string;
}

/** Standardised uptake of a PET. */
export interface UptakeReport {
  readonly factors: FactorsReport | null;
  /** What is missing for them, with the tag; empty where they are. */
  readonly why_not: string;
}

/** Factors from Bq/mL to standardised uptake values; null where height or sex is not known. */
export interface FactorsReport {
  /** By body weight. */
  readonly bw_g_per_bq: number;
  /** By lean body mass, James. */
  readonly lbm_g_per_bq: number | null;
  /** The same, Janmahasatian. */
  readonly lbm_janmahasatian_g_per_bq: number | null;
  /** By body surface. */
  readonly bsa_cm2_per_bq: number | null;
}

/** A volume in use, in the study's space. */
export interface VolumeReport {
  /** Slices, rows, columns (k, j, i). */
  readonly shape: readonly [number, number, number];
  /** Between neighbours along k, j, i. */
  readonly spacing_mm: readonly [number, number, number];
  /** Takes (k, j, i, 1) to LPS mm; by rows. */
  readonly patient_from_voxel: readonly [readonly [number, number, number, number], readonly [number, number, number, number], readonly [number, number, number, number], readonly [number, number, number, number]];
  readonly frame_of_reference_uid: string;
  readonly quantity: string;
  readonly unit: string;
  readonly smallest: number;
  readonly largest: number;
}

/** Body of ``POST /v1/procedure``: a person confirmed both identifiers of the patient on the table. */
export interface StudyChoice {
  readonly study_uid: string;
  readonly patient_id: string;
  readonly patient_name: string;
  /** Of the list that the person saw; a study came into use since: 409. */
  readonly revision: number;
}

/** Body of ``POST /v1/frames``: a person answers for two frames of reference being one space, or no longer.

    The study is read again; answered 204 when it has been, or 409 with a sentence why not. */
export interface FramesRequest {
  readonly study_uid: string;
  readonly one_uid: string;
  readonly other_uid: string;
  /** False takes a confirmation back. */
  readonly is_same: boolean;
}

/** Answer to ``GET /v1/worklist``: who is scheduled today, by time. */
export interface Worklist {
  /** Of the procedure as it stood then: a choice from this list names it. */
  readonly revision: number;
  readonly steps: readonly ScheduledEntry[];
  /** What did not answer, or could not be read, and why. */
  readonly troubles: readonly string[];
}

/** One scheduled step; texts are empty, and days null, where the worklist does not say. */
export interface ScheduledEntry {
  readonly patient_id: string;
  /** As DICOM writes it: family^given^middle^prefix^suffix. */
  readonly patient_name: string;
  readonly birth_date: string | null;
  readonly sex: string;
  readonly accession_number: string;
  readonly procedure: string;
  readonly modality: string;
  readonly station_ae: string;
  readonly start_date: string | null;
  /** HHMMSS, or the beginning of it. */
  readonly start_time: string;
  readonly physician: string;
}

/** Body of ``POST /v1/procedure/patient``: a person confirmed both identifiers of somebody of the worklist. */
export interface PatientChoice {
  /** Of the procedure, that the person has seen; another: 409. */
  readonly revision: number;
  readonly patient_id: string;
  readonly patient_name: string;
}

/** Body of ``POST /v1/resection``: what a person does. Answered 204, or 409 with a sentence why not. */
export interface ResectionRequest {
  /** That the person has seen; another one has acted since: 409. */
  readonly revision: number;
  /** Restore takes a mark back, discard a specimen out of the comparison, label says which removed target a specimen is of; the record keeps what was before. */
  readonly action: "count_background" | "count_bed" | "count_specimen" | "discard" | "label" | "remove" | "restore" | "stop";
  /** Name of the target (remove, label; null: of none). */
  readonly target?: string | null;
  /** Of the removed target (restore, count_bed) or the specimen (discard, label). */
  readonly number?: number | null;
}

/** Body of ``POST /v1/procedure/acts``: what a person does. Answered `Done`, or 409 with a sentence. */
export interface ProcedureRequest {
  /** That the person has seen; another one has acted since: 409. */
  readonly revision: number;
  /** Begin_peak looks for the greatest rate anew, choose_background compares with the rate of now, leave_background with that of the probe's calibration again. */
  readonly action: "begin_peak" | "check" | "choose_background" | "draw" | "erase" | "leave_background" | "mark" | "move" | "sort";
  /** To ``move`` to. */
  readonly to?: "bed" | "ended" | "ex vivo" | "in vivo" | "incision" | "patient" | "plan" | "skin scan" | "time-out" | null;
  /** Why, where something is missing. */
  readonly reason?: string;
  /** Of the hot spot (sort, erase, and draw: null for a name of ours) or the item (check). */
  readonly name?: string | null;
  /** What the hot spot is; an organ takes up tracer. Drawn: target, injection. */
  readonly sort?: "injection" | "neither" | "organ" | "target" | null;
  /** Where it is drawn: study's patient axes, LPS. */
  readonly place_mm?: readonly [number, number, number] | null;
  /** Of the ball that is drawn there. */
  readonly radius_mm?: number;
  /** Expected in what is drawn; null: the image says. */
  readonly activity_mbq?: number | null;
  /** When it was so much, not ahead of now; it has decayed since. Null: now. */
  readonly activity_at_utc?: string | null;
}

/** Answer to an act that was done: a picture of what the display shows may be kept with it. */
export interface Done {
  /** Number of its entry in the record; 0 where it made none. */
  readonly seq: number;
}

/** Body of ``POST /v1/sign-in``: a person's name and secret, or a display's token and no name. */
export interface SignInRequest {
  /** Empty for a display. */
  readonly name: string;
  readonly secret: string;
}

/** Answer to it: the token to send from now on, in the first message and as ``Authorization: Bearer``. */
export interface Signed {
  readonly token: string;
  readonly name: string;
  readonly role: "act" | "engineer" | "view";
}

/** Answer to ``GET /v1/trend?since_seq=``: the trend of the last minutes, oldest first. */
export interface TrendList {
  readonly session_id: string;
  readonly points: readonly TrendPoint[];
}

/** The rate over one interval of the trend. */
export interface TrendPoint {
  /** Of its frame; 0 where a run of the service before this one made it. */
  readonly seq: number;
  /** Its end, by the clock of ``pong``; of a former run maybe below 0. */
  readonly server_monotonic_s: number;
  /** Null where there was no live rate: a gap, not a zero. */
  readonly rate_cps: number | null;
}

/** Answer to ``GET /v1/path?since=``: the points of the path after its first so many, oldest first. */
export interface PathPoints {
  readonly session_id: string;
  /** Of the path, as in PathState. */
  readonly number: number;
  /** How many points came before these; more than asked: so many are gone. */
  readonly first: number;
  /** Patient axes, LPS; the newest 4,000 are kept. */
  readonly points_mm: readonly (readonly [number, number, number])[];
}

/** Body of ``POST /v1/calibrations/tool``, ``…/axis`` and ``…/timing``, empty: all stands in the site file. */
export interface InstallRequest {
}

/** Body of ``POST /v1/calibrations/register``: the patient of the study in use, by landmarks. */
export interface RegisterRequest {
  /** Content of the .mrk.json that 3D Slicer wrote of this study. */
  readonly landmarks: Readonly<Record<string, unknown>>;
  /** So many are touched in any order; null: each by its name. */
  readonly points?: number | null;
  /** The tip is drawn over the skin of her CT too. */
  readonly with_skin?: boolean;
  /** How she lies on the table: on her back, front, left or right side. The tip comes from above; where it does not, her landmarks are turned by half, as RAS saved as LPS are. */
  readonly lies?: "left" | "prone" | "right" | "supine";
}

/** Body of ``POST /v1/calibrations/verify``: a landmark of the registration in use is touched again. */
export interface VerifyRequest {
  readonly landmark: string;
}

/** Answer to ``GET /v1/calibrations/landmarks``: what a check of the registration in use can touch. */
export interface LandmarkList {
  /** Empty where nothing is registered. */
  readonly names: readonly string[];
  /** Why they cannot be read; empty where they were. */
  readonly trouble: string;
}

/** Body of ``POST /v1/calibrations/<step>/acts``: what a person says in the one that is under way. */
export interface CalibrationAct {
  /** Begin the motion, go on without it where it failed, or use what passed; make it again; end it all, and discard what passed. */
  readonly act: "continue" | "end" | "repeat";
  /** Of the CalibrationState that is answered; refused where it asks something else by now. */
  readonly seq?: number | null;
}

/** Answer to ``GET /v1/calibrations``: how the newest stands. */
export interface CalibrationState {
  /** Grows with each change. */
  readonly seq: number;
  readonly simulated: boolean;
  /** Null before the first. */
  readonly step: "axis" | "register" | "timing" | "tool" | "verify" | null;
  readonly phase: "accepting" | "ended" | "idle" | "judging" | "measuring" | "waiting" | "working";
  /** What the person is to do; empty for nothing. */
  readonly instruction: string;
  /** Of the motion that is made. */
  readonly share: number;
  /** How far it is, in words. */
  readonly words: string;
  readonly results: readonly Verdict[];
  /** Null until it has ended. */
  readonly passed: boolean | null;
  /** What came of it. */
  readonly reason: string;
}

/** What was said of a motion. */
export interface Verdict {
  readonly name: string;
  readonly passed: boolean;
  readonly figures: readonly VerdictFigure[];
  readonly limit: string;
  readonly reason: string;
  readonly attempts: number;
}

/** A number that was measured. */
export interface VerdictFigure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly sigma: number | null;
}

/** An entry of the procedure's record. They come in the order of their numbers, and none is left out.

    But for what is entered each second so that a restart has it: peak, path and trend are in frames, or fetched. */
export interface Event {
  readonly type: "event";
  /** Growing; a display that was away asks for what came after it. */
  readonly seq: number;
  /** When, ISO 8601; empty in a beat. */
  readonly at_utc: string;
  /** Who did it; empty where the service noticed it by itself. */
  readonly person: string;
  /** ``moved``, ``marked``, ``alert`` ...; ``beat`` each second where nothing came. */
  readonly kind: string;
  /** Its particulars. */
  readonly told: Readonly<Record<string, unknown>>;
}

/** The first message on ``/v1/events`` (after ``sign_in``, where that is asked for): from where to go on. */
export interface Follow {
  readonly type: "follow";
  /** Of the newest event that the display has; 0, or one that the record never gave: none, and all are sent; null: none, and all since the procedure that displays show began are sent, however many, or, while they show none, those since the former one's last step, the newest 1,000 at most. */
  readonly since_seq: number | null;
}

export type ServerMessage = Hello | State | Heartbeat | Pong | Refusal;

export type ClientMessage = Next | Ping | SignIn;
