/** Links to a procedure's report: as a page, and as PDF for an archive. */

import { make } from "../kit/elements";
import { t } from "../kit/language";

export function reportLinks(number: number): HTMLElement[] {
  const ways = [
    [t.procedure.report, "report"],
    ["PDF", "report.pdf"],
  ];
  return ways.map(([name, path]) => {
    const link = make("a", "report", name);
    link.href = `/v1/procedure/${path}?number=${number}`;
    link.target = "_blank";
    link.rel = "noopener";
    return link;
  });
}
