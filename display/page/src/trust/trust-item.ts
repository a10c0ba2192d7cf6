/** One input of the trust strip, as it is shown. */

export interface Item {
  readonly key: string;
  readonly title: string;
  readonly state: string;
  readonly word: string;
  readonly detail: string;
  /** Whether it says more than others do, and wants the room. */
  readonly isWide?: boolean;
}
