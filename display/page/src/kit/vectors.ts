/** Points and 3 x 3 matrices: rows of numbers, as the feed sends them. */

export type Point = readonly [number, number, number];
export type Matrix = readonly [Point, Point, Point];

export function dot(a: Point, b: Point): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

export function subtract(a: Point, b: Point): Point {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}

/** `a` and `times` steps of `b` on. */
export function along(a: Point, b: Point, times: number): Point {
  return [a[0] + b[0] * times, a[1] + b[1] * times, a[2] + b[2] * times];
}

export function negate(a: Point): Point {
  return [-a[0], -a[1], -a[2]];
}

export function cross(a: Point, b: Point): Point {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

export function column(matrix: Matrix, index: 0 | 1 | 2): Point {
  return [matrix[0][index], matrix[1][index], matrix[2][index]];
}

export function apply(matrix: Matrix, point: Point): Point {
  return [dot(matrix[0], point), dot(matrix[1], point), dot(matrix[2], point)];
}

/** Inverse by cofactors; throws where the rows do not span space. */
export function invert(matrix: Matrix): Matrix {
  const [a, b, c] = matrix;
  const bc = cross(b, c);
  const determinant = dot(a, bc);
  if (!(Math.abs(determinant) > 1e-12)) throw new Error("this matrix has no inverse");
  const scaled = (p: Point): Point => [p[0] / determinant, p[1] / determinant, p[2] / determinant];
  const columns = [scaled(bc), scaled(cross(c, a)), scaled(cross(a, b))] as const;
  return [
    [columns[0][0], columns[1][0], columns[2][0]],
    [columns[0][1], columns[1][1], columns[2][1]],
    [columns[0][2], columns[1][2], columns[2][2]],
  ];
}
