// SPDX-License-Identifier: Apache-2.0
// Rigid bodies: poses of a tree of joints, distances between convex bodies, torques.
#pragma once
#include <math.h>
#include <string.h>

#include "stopping.h"

typedef struct {
  double R[9];  // row-major
  double t[3];
} Pose;

static double dot(const double *a, const double *b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
static void cross(const double *a, const double *b, double *c) {
  c[0] = a[1] * b[2] - a[2] * b[1];
  c[1] = a[2] * b[0] - a[0] * b[2];
  c[2] = a[0] * b[1] - a[1] * b[0];
}
static void turn(const double *R, const double *v, double *w) {
  for (int i = 0; i < 3; i++) w[i] = R[3 * i] * v[0] + R[3 * i + 1] * v[1] + R[3 * i + 2] * v[2];
}
static void turn_back(const double *R, const double *v, double *w) {
  for (int i = 0; i < 3; i++) w[i] = R[i] * v[0] + R[i + 3] * v[1] + R[i + 6] * v[2];
}
static void product(const double *A, const double *B, double *C) {
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++) C[3 * i + j] = A[3 * i] * B[j] + A[3 * i + 1] * B[j + 3] + A[3 * i + 2] * B[j + 6];
}
static void placed(const Pose *pose, const double *point, double *out) {
  turn(pose->R, point, out);
  for (int i = 0; i < 3; i++) out[i] += pose->t[i];
}

// Pose of a joint's moving side in its parent.
static void joint_pose(const double *R, const double *t, const double *axis, int slides, double q, Pose *out) {
  if (slides) {
    double way[3];
    turn(R, axis, way);
    memcpy(out->R, R, sizeof out->R);
    for (int i = 0; i < 3; i++) out->t[i] = t[i] + q * way[i];
    return;
  }
  double s = sin(q), c = cos(q), v = 1.0 - c, x = axis[0], y = axis[1], z = axis[2];
  double T[9] = {c + x * x * v, x * y * v - z * s, x * z * v + y * s, y * x * v + z * s, c + y * y * v,
                 y * z * v - x * s, z * x * v - y * s, z * y * v + x * s, c + z * z * v};
  product(R, T, out->R);
  memcpy(out->t, t, sizeof out->t);
}

// --- distances ---

enum { POINT, SEGMENT, BOX, CYLINDER, HALF_SPACE };  // a core, around which a body reaches its radius

typedef struct {
  int kind;
  double half[3];  // box: half edges; segment and cylinder along z: half length in half[2]; cylinder: radius in half[0]
  double radius;
} Form;

// The core's point furthest along a direction, in the body's own axes.
static void furthest(const Form *form, const double *d, double *p) {
  p[0] = p[1] = p[2] = 0.0;
  if (form->kind == SEGMENT || form->kind == CYLINDER) p[2] = d[2] < 0.0 ? -form->half[2] : form->half[2];
  if (form->kind == CYLINDER) {
    double r = sqrt(d[0] * d[0] + d[1] * d[1]);
    if (r > 1e-12) p[0] = form->half[0] * d[0] / r, p[1] = form->half[0] * d[1] / r;
  }
  if (form->kind == BOX)
    for (int i = 0; i < 3; i++) p[i] = d[i] < 0.0 ? -form->half[i] : form->half[i];
}

static void furthest_placed(const Form *form, const Pose *pose, const double *direction, double *p) {
  double d[3], local[3];
  turn_back(pose->R, direction, d);
  furthest(form, d, local);
  placed(pose, local, p);
}

typedef struct {
  double w[3], a[3], b[3];  // a point of the difference of the two cores, and the points of each it comes from
} Vertex;

// Weights of the point of a simplex of k = 1..4 vertices that is nearest to the origin, by the face that holds it
// (Johnson's subalgorithm by trying faces: k is small). The newest vertex always belongs to it. Returns the squared
// distance.
static double nearest_in_simplex(const Vertex *s, int k, double *weight) {
  double best = 1e300;
  if (k == 2) {
    double e[3] = {s[1].w[0] - s[0].w[0], s[1].w[1] - s[0].w[1], s[1].w[2] - s[0].w[2]}, size = dot(e, e);
    double share = size > 1e-18 ? clamped(-dot(e, s[0].w) / size, 0.0, 1.0) : 1.0;
    weight[0] = 1.0 - share, weight[1] = share;
    return 0.0;
  }
  for (int face = 1 << (k - 1); face < 1 << k; face++) {
    int id[4], m = 0;
    for (int i = 0; i < k; i++)
      if (face >> i & 1) id[m++] = i;
    // Least |sum l_i w_i| with sum l_i = 1: (m - 1) normal equations in differences from the first vertex.
    double M[3][4], l[4] = {1.0, 0.0, 0.0, 0.0}, e[3][3];
    for (int i = 1; i < m; i++)
      for (int x = 0; x < 3; x++) e[i - 1][x] = s[id[i]].w[x] - s[id[0]].w[x];
    for (int i = 0; i < m - 1; i++) {
      for (int j = 0; j < m - 1; j++) M[i][j] = dot(e[i], e[j]);
      M[i][m - 1] = -dot(e[i], s[id[0]].w);
    }
    int good = 1;
    for (int i = 0; i < m - 1 && good; i++) {
      int pivot = i;
      for (int r = i + 1; r < m - 1; r++)
        if (fabs(M[r][i]) > fabs(M[pivot][i])) pivot = r;
      if (fabs(M[pivot][i]) < 1e-18) good = 0;
      if (!good) break;
      for (int x = 0; x < m; x++) {
        double keep = M[i][x];
        M[i][x] = M[pivot][x];
        M[pivot][x] = keep;
      }
      for (int r = 0; r < m - 1; r++)
        if (r != i) {
          double f = M[r][i] / M[i][i];
          for (int x = i; x < m; x++) M[r][x] -= f * M[i][x];
        }
    }
    if (!good) continue;
    for (int i = 1; i < m; i++) {
      l[i] = M[i - 1][m - 1] / M[i - 1][i - 1];
      l[0] -= l[i];
    }
    double v[3] = {0, 0, 0};
    for (int i = 0; i < m; i++) {
      if (l[i] < 0.0) good = 0;
      for (int x = 0; x < 3; x++) v[x] += l[i] * s[id[i]].w[x];
    }
    double d = dot(v, v);
    if (!good || d >= best) continue;
    best = d;
    for (int i = 0; i < k; i++) weight[i] = 0.0;
    for (int i = 0; i < m; i++) weight[id[i]] = l[i];
  }
  return best;
}

// Nearest points of two segments (of length 0 too) by their middles, half-lengths and directions.
// Source: Ericson, Real-Time Collision Detection, 5.1.9.
static double segments(const Pose *pa, double ha, const Pose *pb, double hb, double *on_a, double *on_b) {
  double da[3] = {pa->R[2], pa->R[5], pa->R[8]}, db[3] = {pb->R[2], pb->R[5], pb->R[8]}, r[3], gap[3];
  for (int i = 0; i < 3; i++) r[i] = pa->t[i] - pb->t[i];
  double b = dot(da, db), c = dot(da, r), f = dot(db, r), cosine = 1.0 - b * b;
  double s = cosine > 1e-12 ? clamped((b * f - c) / cosine, -ha, ha) : 0.0;
  double t = clamped(b * s + f, -hb, hb);
  s = clamped(b * t - c, -ha, ha);
  for (int i = 0; i < 3; i++) {
    on_a[i] = pa->t[i] + s * da[i];
    on_b[i] = pb->t[i] + t * db[i];
    gap[i] = on_a[i] - on_b[i];
  }
  return sqrt(dot(gap, gap));
}

// Lower bound of the distance of two bodies, within 1e-7 of it where they are apart; where the cores meet, minus the
// radii. Normal from b to a and nearest points of the cores come along. Method: Gilbert, Johnson, Keerthi 1988.
static double distance(const Form *fa, const Pose *pa, const Form *fb, const Pose *pb, double *normal, double *on_a,
                       double *on_b) {
  double radii = fa->radius + fb->radius;
  if (fb->kind == HALF_SPACE) {
    for (int i = 0; i < 3; i++) normal[i] = pb->R[3 * i + 2];
    double into[3] = {-normal[0], -normal[1], -normal[2]};
    furthest_placed(fa, pa, into, on_a);
    double gap[3] = {on_a[0] - pb->t[0], on_a[1] - pb->t[1], on_a[2] - pb->t[2]}, d = dot(gap, normal);
    for (int i = 0; i < 3; i++) on_b[i] = on_a[i] - d * normal[i];
    return d - radii;
  }
  if (fa->kind <= SEGMENT && fb->kind <= SEGMENT) {
    double d = segments(pa, fa->half[2], pb, fb->half[2], on_a, on_b);
    for (int i = 0; i < 3; i++) normal[i] = d > 1e-9 ? (on_a[i] - on_b[i]) / d : i == 2;
    return d - radii;
  }
  Vertex s[4];
  int k = 0;
  double v[3], low = 0.0, weight[4];
  for (int i = 0; i < 3; i++) v[i] = pa->t[i] - pb->t[i];
  if (dot(v, v) < 1e-20) v[0] = 1.0, v[1] = v[2] = 0.0;
  for (int round = 0; round < 40; round++) {
    double size = sqrt(dot(v, v));
    if (size < 1e-9) return low = 0.0, normal[0] = 0.0, normal[1] = 0.0, normal[2] = 1.0, -radii;
    for (int i = 0; i < 3; i++) normal[i] = v[i] / size;
    double into[3] = {-normal[0], -normal[1], -normal[2]};
    Vertex *n = &s[k];
    furthest_placed(fa, pa, into, n->a);
    furthest_placed(fb, pb, normal, n->b);
    for (int i = 0; i < 3; i++) n->w[i] = n->a[i] - n->b[i];
    double bound = dot(n->w, normal);
    if (bound > low) low = bound;
    if (k && size - low < 1e-7) break;
    k++;
    nearest_in_simplex(s, k, weight);
    int kept = 0;
    for (int i = 0; i < k; i++)
      if (weight[i] > 0.0) {
        s[kept] = s[i];
        weight[kept++] = weight[i];
      }
    k = kept;
    for (int x = 0; x < 3; x++) {
      v[x] = on_a[x] = on_b[x] = 0.0;
      for (int i = 0; i < k; i++) {
        v[x] += weight[i] * s[i].w[x];
        on_a[x] += weight[i] * s[i].a[x];
        on_b[x] += weight[i] * s[i].b[x];
      }
    }
    if (k == 4) {
      return -radii;
    }
  }
  return low - radii;
}
