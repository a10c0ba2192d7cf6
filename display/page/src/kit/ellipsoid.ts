/** The 95 % region of a target, cut by a plane or seen along a direction. */

import type { TargetState } from "../feed-types";
import { dot, type Point } from "./vectors";

/** An ellipse in plane coordinates, mm: centre off the region's centre, semi-axes, tilt of the first. */
export interface Ellipse {
  readonly x: number;
  readonly y: number;
  readonly long: number;
  readonly short: number;
  readonly tilt_rad: number;
}

/** An ellipsoid about a target's centre: unit axes in patient space and its semi-axes, mm. */
export interface Ellipsoid {
  readonly axes: readonly Point[];
  readonly semi_mm: readonly number[];
}

/** The region of a target, null where the feed gives none. */
export function regionOf(target: TargetState): Ellipsoid | null {
  if (!target.localisable || !target.region_axes || !target.region_semi_axes_mm) return null;
  return { axes: target.region_axes, semi_mm: target.region_semi_axes_mm };
}

/** Half the extent along a unit direction, mm. */
export function extent(region: Ellipsoid, direction: Point): number {
  return Math.sqrt(spread(region, direction, direction));
}

/** Outline of the region seen along the normal of the plane that `u` and `v` span. */
export function shadow(region: Ellipsoid, u: Point, v: Point): Ellipse {
  return outline(spread(region, u, u), spread(region, u, v), spread(region, v, v), 0, 0);
}

/**
 * Where the plane spanned by `u` and `v`, `height` mm along `normal` from the centre, cuts the region;
 * null where it misses it.
 *
 * With the shape matrix S (the region is d' S^-1 d <= 1) this is the conditional of a Gaussian: the centre
 * moves by S_pn / S_nn * height, the shape is S_pp - S_pn S_np / S_nn, shrunk by 1 - height^2 / S_nn.
 */
export function section(region: Ellipsoid, u: Point, v: Point, normal: Point, height: number): Ellipse | null {
  const nn = spread(region, normal, normal);
  const left = 1 - (height * height) / nn;
  if (left <= 0) return null;
  const un = spread(region, u, normal);
  const vn = spread(region, v, normal);
  const uu = (spread(region, u, u) - (un * un) / nn) * left;
  const uv = (spread(region, u, v) - (un * vn) / nn) * left;
  const vv = (spread(region, v, v) - (vn * vn) / nn) * left;
  return outline(uu, uv, vv, (un / nn) * height, (vn / nn) * height);
}

function spread(region: Ellipsoid, a: Point, b: Point): number {
  return region.axes.reduce((sum, axis, n) => sum + dot(axis, a) * dot(axis, b) * region.semi_mm[n]! ** 2, 0);
}

function outline(uu: number, uv: number, vv: number, x: number, y: number): Ellipse {
  const middle = (uu + vv) / 2;
  const swing = Math.hypot((uu - vv) / 2, uv);
  return {
    x,
    y,
    long: Math.sqrt(middle + swing),
    short: Math.sqrt(Math.max(0, middle - swing)),
    tilt_rad: Math.atan2(2 * uv, uu - vv) / 2,
  };
}
