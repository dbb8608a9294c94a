// SPDX-License-Identifier: Apache-2.0
// One control period of the limiter. All arrays belong to the caller (humanoid_safety/native.py says what each is);
// nothing here allocates, and the cost of a call is bounded.
#include <stdint.h>

#include "bodies.h"
#include "stopping.h"

enum { POSITION = 1, VELOCITY = 2, ACCELERATION = 4, JERK = 8, COLLISION = 16, TORQUE = 32 };
static const double FAR = 0.05;  // [m] pairs whose balls are further apart than this need no closer look
static const double NOISE = 5e-7;  // [m] more than distances are measured too small by
enum { MOST_JOINTS = 256, ROUNDS = 3, HALVINGS = 4, SWEEPS = 4 };

typedef struct {
  int32_t n, nodes, pairs, points, columns, longest, last, known_last, looked, shift;
  double guide, buffer, tolerance, slack, smoothing, gravity, period;
  // Joints that may be commanded, n each
  double *fastest, *brake, *jerk, *catch_brake, *catch_jerk, *torque_limit, *lower, *upper;
  double *position, *moved, *change, *request, *request_moved, *request_change, *smooth_moved, *smooth_change;
  double *taken, *torque;
  uint32_t *reasons;
  uint8_t *caught;
  // Tree of joints
  int32_t *parent, *column;
  uint8_t *slides, *still;
  double *node_R, *node_t, *axis, *multiplier, *offset, *mass, *com, *inertia, *other;
  // Bodies, pairs, points
  int32_t *body_node, *body_kind, *first, *second, *pair_reason, *point_node, *moving, *place, *ends;
  double *body_half, *body_radius, *body_ball, *body_R, *body_t, *lever, *lever_of, *least, *allowed, *bound;
  double *point_at, *point_lever, *point_fastest;
  // Room to work in
  double *path, *way, *known, *safe, *found, *touch, *total, *poses, *here, *near, *aim, *wanted, *stopped, *trial;
  double *spatial;
  uint8_t *posed, *held, *fresh;
} Limiter;

// --- joints one by one ---

static int inside(const Limiter *L, int i, double change) {
  double u = L->moved[i] + change, x = L->position[i] + u, A = L->brake[i], J = L->jerk[i], up, down;
  if (x > L->upper[i] || x < L->lower[i]) return 0;
  // Generous, so that most joints need no more: the stop in continuous time, its ramp, and a few steps.
  double most = fabs(way_to_rest(u, change, A, J)) + fabs(u) * (fabs(change) / J + 2.0) + 2.0 * (fabs(change) + J);
  if (x + most < L->upper[i] && x - most > L->lower[i]) return 1;
  stop_extent(u, change, A, J, &up, &down);
  return x + up <= L->upper[i] && x - down >= L->lower[i];
}

// Next change that follows a request: onto it where it can be kept up with, else nearer to it such that the rest of the
// way, relative to the request's smoothed motion, can be braked with the share for catching up.
static double following(const Limiter *L, int i, double request, int *onto) {
  double A = L->catch_brake[i], J = L->catch_jerk[i], u = L->moved[i], c = L->change[i];
  double e = L->position[i] - L->request[i], w = u - L->request_moved[i];
  double z = c - L->request_change[i], land = -e - w, after = w + land;
  *onto = fabs(land - z) <= J && fabs(after) <= J && fabs(after + land) <= J;
  if (*onto) return (request - L->position[i]) - u;
  double aim = L->smooth_change[i];
  e = L->position[i] + L->smooth_moved[i] - request, w = u - L->smooth_moved[i], z = c - aim;
  double low = clamped(z - J, -A, A), high = clamped(z + J, -A, A);
  for (int k = 0; k < 12; k++) {
    double middle = 0.5 * (low + high), v = w + middle;
    if (e + 0.5 * v + way_to_rest(v, middle, A, J) < 0.0) low = middle;
    else high = middle;
  }
  return aim + 0.5 * (low + high);
}

// Takes note of a joint's request: its last steps, and its motion smoothed (an alpha-beta filter, critically damped,
// without lag at constant acceleration).
static void note_request(Limiter *L, int i, double request) {
  double step = request - L->request[i], keep = L->smoothing, guess = L->smooth_moved[i] + L->smooth_change[i];
  double off = fabs(step) > 1.5 * L->fastest[i] ? 0.0 : step - guess;  // a jump is no motion
  double most = L->brake[i] - L->catch_brake[i];  // the rest of the acceleration is for catching up
  L->smooth_moved[i] = clamped(guess + (1.0 - keep * keep) * off, -L->fastest[i], L->fastest[i]);
  L->smooth_change[i] = clamped(L->smooth_change[i] + (1.0 - keep) * (1.0 - keep) * off, -most, most);
  L->request_change[i] = step - L->request_moved[i];
  L->request_moved[i] = step;
  L->request[i] = request;
}

// The joint's next position towards a request (or towards rest), inside its own limits; `stopped`: that of the stop.
static void joint_step(Limiter *L, int i, int follows, double cap) {
  double u = L->moved[i], c = L->change[i], A = L->brake[i], J = L->jerk[i], U = L->fastest[i], p = L->position[i];
  double rest = stop_change(u, c, A, J), wanted = rest;
  int onto = 0;
  L->stopped[i] = clamped(p + (u + rest), L->lower[i], L->upper[i]);
  L->wanted[i] = L->stopped[i];
  if (!follows) return;
  double low = most_of(most_of(c - J, -A), -braking_step(U + u, J)), high = least_of(least_of(c + J, A), braking_step(U - u, J));
  wanted = following(L, i, L->aim[i], &onto);
  if (!L->caught[i] && cap < U) wanted = clamped(wanted, -braking_step(cap + u, J), braking_step(cap - u, J));
  double cut = low > high ? rest : clamped(wanted, low, high);
  int kept = cut == wanted;
  if (!inside(L, i, cut)) {
    double good = rest, bad = cut;
    for (int k = 0; k < 12; k++) {
      double middle = 0.5 * (good + bad);
      if (inside(L, i, middle)) good = middle;
      else bad = middle;
    }
    cut = good, kept = 0;
    L->reasons[i] |= POSITION;
  }
  L->wanted[i] = kept && onto ? L->aim[i] : clamped(p + (u + cut), L->lower[i], L->upper[i]);
}

// --- the whole robot ---

// Pose of a joint at positions `q`; `up`: that of the joint above, 0 where there is none.
static void pose_node(const Limiter *L, const double *q, int node, const Pose *up, Pose *out) {
  int column = L->column[node];
  double at = column < 0 ? L->other[node] : L->multiplier[node] * q[column] + L->offset[node];
  Pose own;
  joint_pose(L->node_R + 9 * node, L->node_t + 3 * node, L->axis + 3 * node, L->slides[node], at, up ? &own : out);
  if (!up) return;
  product(up->R, own.R, out->R);
  placed(up, own.t, out->t);
}

// Pose of a joint in a row of `path`, worked out when it is first asked for; row -1: at the last command.
static const Pose *node_pose(Limiter *L, int row, int node) {
  if (node < 0) return 0;
  if (row < 0 || L->still[node]) return (const Pose *)L->here + node;
  size_t place = (size_t)row * L->nodes + node;
  Pose *pose = (Pose *)L->poses + place;
  if (!L->posed[place]) {
    L->posed[place] = 1;
    pose_node(L, L->path + (size_t)row * L->n, node, node_pose(L, row, L->parent[node]), pose);
  }
  return pose;
}

static void body_pose(Limiter *L, int row, int body, Pose *out) {
  const Pose *node = node_pose(L, row, L->body_node[body]);
  const double *R = L->body_R + 9 * body, *t = L->body_t + 3 * body;
  if (!node) {
    memcpy(out->R, R, sizeof out->R);
    memcpy(out->t, t, sizeof out->t);
    return;
  }
  product(node->R, R, out->R);
  placed(node, t, out->t);
}

static Form body_form(const Limiter *L, int body) {
  const double *half = L->body_half + 3 * body;
  return (Form){L->body_kind[body], {half[0], half[1], half[2]}, L->body_radius[body]};
}

// Distance of the balls around two bodies: what it takes to see that they are far apart.
static double roughly(Limiter *L, int row, int pair) {
  double at[2][3], gap[3];
  int body[2] = {L->first[pair], L->second[pair]};
  if (L->body_kind[body[1]] == HALF_SPACE) return -1.0;
  for (int s = 0; s < 2; s++) {
    const Pose *node = node_pose(L, row, L->body_node[body[s]]);
    const double *t = L->body_t + 3 * body[s];
    if (node) placed(node, t, at[s]);
    else memcpy(at[s], t, sizeof at[s]);
  }
  for (int i = 0; i < 3; i++) gap[i] = at[0][i] - at[1][i];
  return sqrt(dot(gap, gap)) - L->body_ball[body[0]] - L->body_ball[body[1]];
}

// Distance of a pair; `touch`: the normal and the two nearest points.
static double pair_distance(Limiter *L, int row, int pair, double *touch) {
  Pose a, b;
  body_pose(L, row, L->first[pair], &a);
  body_pose(L, row, L->second[pair], &b);
  Form fa = body_form(L, L->first[pair]), fb = body_form(L, L->second[pair]);
  return distance(&fa, &a, &fb, &b, touch, touch + 3, touch + 6);
}

// Distance of a pair at the last command, measured at most once a period.
static double measured(Limiter *L, int pair) {
  if (!L->fresh[pair]) {
    L->fresh[pair] = 1;
    L->bound[pair] = roughly(L, -1, pair);
    if (L->bound[pair] < L->least[pair] + most_of(FAR, L->guide))
      L->bound[pair] = pair_distance(L, -1, pair, L->touch + 9 * pair);
    // A pair that started too near may not come nearer again once it is further away.
    L->allowed[pair] = least_of(L->least[pair], most_of(L->allowed[pair], L->bound[pair] - L->tolerance));
  }
  return L->bound[pair];
}

// What a pair must keep. Commands never bring it nearer than it may be; where it measures a little less, that is the
// measurement: it may stay as it measures, and what is promised stays, so that errors do not add up.
static double floor_of(const Limiter *L, int pair) {
  return L->allowed[pair] - clamped(L->allowed[pair] - L->bound[pair], 0.0, NOISE);
}

static void hold(Limiter *L, const double *lever, uint8_t *mask, uint32_t reason) {
  for (int g = 0; g < L->columns; g++)
    if (lever[g] > 0.0) {
      mask[L->moving[g]] = 1;
      L->reasons[L->moving[g]] |= reason;
    }
}

// How far a point of a ball that a joint carries moves at most per displacement of each column while the columns travel
// `total`: its present distance from each axis, and what joints below may add to it. Columns of lever 0 are left out.
static void levers_now(const Limiter *L, int node, const double *centre, double ball, const double *lever,
                       const double *total, double *own) {
  if (node < 0) return;
  double at[3], grown = ball;
  placed((const Pose *)L->here + node, centre, at);
  for (int j = node; j >= 0; j = L->parent[j]) {
    int g = L->column[j] < 0 ? -1 : L->place[L->column[j]];
    if (g < 0 || lever[g] == 0.0) continue;
    const Pose *pose = (const Pose *)L->here + j;
    double axis[3], arm[3] = {at[0] - pose->t[0], at[1] - pose->t[1], at[2] - pose->t[2]}, across[3], reach = 1.0;
    if (!L->slides[j]) {
      turn(pose->R, L->axis + 3 * j, axis);
      cross(axis, arm, across);
      reach = sqrt(dot(across, across)) + grown;
    }
    reach *= fabs(L->multiplier[j]);
    own[g] += reach;
    grown += reach * total[g];
  }
}

// Adds to each pair's distance its lever times the way of each column. By columns: that vectorises, and many stand.
static void add_levers(const Limiter *L, const double *way, double *distance) {
  for (int g = 0; g < L->columns; g++) {
    const double *lever = L->lever_of + (size_t)g * L->pairs;
    if (way[g] == 0.0) continue;
    for (int p = 0; p < L->pairs; p++) distance[p] += lever[p] * way[g];
  }
}

// Whether the commands `x` and the stop from there keep every distance and every point's speed; joints that break one
// are marked in `mask` (without it the first one settles it). Row k of `path` is the command k periods later, `way` what
// each joint has travelled by then; joints whose command is as in the last look keep theirs.
static int keeps(Limiter *L, const double *x, uint8_t *mask) {
  int n = L->n, m = L->columns, last = 0, good = 1, *ends = L->ends;
  double *total = L->total;
  for (int g = 0; g < m; g++) {
    int i = L->moving[g], k = 0;
    if (!L->looked || x[i] != L->path[i]) {
      double u = x[i] - L->position[i], c = u - L->moved[i], at = x[i], gone = fabs(u);
      L->path[i] = at;
      L->way[g] = gone;
      while ((u != 0.0 || c != 0.0) && k + 1 < L->longest) {
        c = stop_change(u, c, L->brake[i], L->jerk[i]);
        u += c;
        at += u;
        gone += fabs(u);
        k++;
        L->path[(size_t)k * n + i] = at;
        L->way[(size_t)k * m + g] = gone;
      }
      ends[g] = k;
      total[g] = gone;
    }
    if (ends[g] > last) last = ends[g];
  }
  L->looked = 1;
  for (int g = 0; g < m; g++)
    for (int k = ends[g] + 1; k <= last; k++) {
      L->path[(size_t)k * n + L->moving[g]] = L->path[(size_t)ends[g] * n + L->moving[g]];
      L->way[(size_t)k * m + g] = total[g];
    }
  memset(L->posed, 0, (size_t)(last + 1) * L->nodes);
  L->last = last;
  // How far this stop strays from the one that was found good last: what was found then holds less that much.
  double stray[MOST_JOINTS] = {0.0};
  for (int k = 0; k <= last || k + L->shift <= L->known_last; k++) {
    const double *now = L->path + (size_t)(k < last ? k : last) * n;
    const double *then = L->known + (size_t)(k + L->shift < L->known_last ? k + L->shift : L->known_last) * m;
    for (int g = 0; g < m; g++) stray[g] = most_of(stray[g], fabs(now[L->moving[g]] - then[g]));
  }
  memset(L->found, 0, L->pairs * sizeof(double));
  add_levers(L, stray, L->found);
  for (int p = 0; p < L->pairs; p++) {
    L->found[p] = L->safe[p] - L->found[p];
    if (L->found[p] >= L->allowed[p]) continue;
    const double *lever = L->lever + (size_t)p * m;
    double own[MOST_JOINTS] = {0.0};
    measured(L, p);
    int a = L->first[p], b = L->second[p];
    levers_now(L, L->body_node[a], L->body_t + 3 * a, L->body_ball[a], lever, total, own);
    levers_now(L, L->body_node[b], L->body_t + 3 * b, L->body_ball[b], lever, total, own);
    // Conservative advancement along the stop: look again where half of what is clear may be used up. Where it is looked
    // at, a pair keeps some `slack` more than it must (less where it has less already), which may be used up in between.
    double must = floor_of(L, p), clear = L->bound[p] - must, wanted = 0.9 * clamped(clear, 0.0, L->slack), gone = 0.0;
    L->found[p] = INFINITY;
    for (int k = -1; clear >= wanted;) {
      double step = most_of(0.5 * clear, least_of(clear, L->slack));
      int low = k + 1, high = last + 1;
      while (low < high) {
        int middle = (low + high) / 2;
        double reach = 0.0;
        for (int g = 0; g < m; g++) reach += own[g] * L->way[(size_t)middle * m + g];
        if (reach - gone > step) high = middle;
        else low = middle + 1;
      }
      L->found[p] = least_of(L->found[p], must + clear - step);
      if (low > last) break;
      k = low;
      gone = 0.0;
      for (int g = 0; g < m; g++) gone += own[g] * L->way[(size_t)k * m + g];
      clear = roughly(L, k, p) - must;
      double touch[9];
      if (clear < FAR) clear = pair_distance(L, k, p, touch) - must;
      L->found[p] = least_of(L->found[p], must + clear);
    }
    if (clear < wanted) {
      L->found[p] = -INFINITY;
      if (!mask) return 0;
      hold(L, lever, mask, L->pair_reason[p]);
      good = 0;
    }
  }
  for (int q = 0; q < L->points; q++) {
    const double *lever = L->point_lever + (size_t)q * m;
    int node = L->point_node[q];
    double most = L->point_fastest[q], before[3] = {0, 0, 0}, now[3], own[MOST_JOINTS] = {0.0};
    int known = -2;
    levers_now(L, node, L->point_at + 3 * q, 0.0, lever, total, own);
    for (int k = 0; k <= last; k++) {
      double reach = 0.0;
      for (int g = 0; g < m; g++) reach += own[g] * (L->way[(size_t)k * m + g] - (k ? L->way[(size_t)(k - 1) * m + g] : 0.0));
      if (reach <= most) continue;
      if (known != k - 1) placed(node_pose(L, k - 1, node), L->point_at + 3 * q, before);
      placed(node_pose(L, k, node), L->point_at + 3 * q, now);
      double gap[3] = {now[0] - before[0], now[1] - before[1], now[2] - before[2]};
      memcpy(before, now, sizeof now);
      known = k;
      if (dot(gap, gap) > most * most) {
        if (!mask) return 0;
        hold(L, lever, mask, VELOCITY);
        good = 0;
        break;
      }
    }
  }
  return good;
}

// The way to the request, or as much of it as a joint makes in 0.1 s.
static double ahead(const Limiter *L, int i) {
  double most = L->fastest[i] * (0.1 / L->period);
  return clamped(L->aim[i] - L->position[i], -most, most);
}

// Takes out of the request what would bring near pairs too close, along their normals only: motion along them goes on.
static void guide(Limiter *L) {
  int m = L->columns, count = 0, most = 64;
  for (int p = 0; p < L->pairs && count < most; p++) {
    if (L->bound[p] > L->least[p] + L->guide || measured(L, p) > L->least[p] + L->guide) continue;
    const double *normal = L->touch + 9 * p;
    double *row = L->near + (size_t)count * (m + 2), size = 0.0;
    for (int g = 0; g < m; g++) row[g] = 0.0;
    for (int side = 0; side < 2; side++) {
      const double *at = normal + (side ? 6 : 3);
      for (int j = L->body_node[side ? L->second[p] : L->first[p]]; j >= 0; j = L->parent[j]) {
        int g = L->column[j] < 0 ? -1 : L->place[L->column[j]];
        if (g < 0) continue;
        const Pose *pose = (const Pose *)L->here + j;
        double axis[3], arm[3] = {at[0] - pose->t[0], at[1] - pose->t[1], at[2] - pose->t[2]}, motion[3];
        turn(pose->R, L->axis + 3 * j, axis);
        if (L->slides[j]) memcpy(motion, axis, sizeof axis);
        else cross(axis, arm, motion);
        row[g] += (side ? -1.0 : 1.0) * L->multiplier[j] * dot(normal, motion);
      }
    }
    for (int g = 0; g < m; g++) size += row[g] * row[g];
    row[m] = size;
    row[m + 1] = most_of(L->bound[p] - L->allowed[p] - L->buffer, 0.0);
    if (size > 1e-8) count++;
  }
  for (int sweep = 0; sweep < SWEEPS; sweep++)
    for (int r = 0; r < count; r++) {
      const double *row = L->near + (size_t)r * (m + 2);
      double room = row[m + 1];
      // A normal holds for small displacements only: of a request that is far away the first part counts.
      for (int g = 0; g < m; g++) room += row[g] * ahead(L, L->moving[g]);
      if (room >= 0.0) continue;
      for (int g = 0; g < m; g++)
        if (row[g] != 0.0) {
          int i = L->moving[g];
          L->aim[i] = L->position[i] + ahead(L, i) - row[g] * room / row[m];
          L->reasons[i] |= COLLISION;
        }
    }
}

// Torques of the commands `x` by inverse dynamics, base upright and at rest (recursive Newton-Euler, base outwards and
// back); returns the largest share of a limit.
static double load(Limiter *L, const double *x) {
  double worst = 0.0, dt = L->period;
  double *w = L->spatial, *dw = w + 3 * L->nodes, *a = dw + 3 * L->nodes, *f = a + 3 * L->nodes, *t = f + 3 * L->nodes;
  Pose *own = (Pose *)(t + 3 * L->nodes);
  static const double zero[3] = {0, 0, 0};
  double up[3] = {0.0, 0.0, L->gravity};
  for (int j = 0; j < L->nodes; j++) {
    int c = L->column[j], parent = L->parent[j];
    double m = L->multiplier[j], q = c < 0 ? L->other[j] : m * x[c] + L->offset[j];
    double v = c < 0 ? 0.0 : m * (x[c] - L->position[c]) / dt;
    double dv = c < 0 ? 0.0 : m * (x[c] - L->position[c] - L->moved[c]) / (dt * dt);
    const double *axis = L->axis + 3 * j, *pw = parent < 0 ? zero : w + 3 * parent;
    const double *pdw = parent < 0 ? zero : dw + 3 * parent, *pa = parent < 0 ? up : a + 3 * parent;
    joint_pose(L->node_R + 9 * j, L->node_t + 3 * j, axis, L->slides[j], q, own + j);
    double at[3], tmp[3], sum[3];
    cross(pdw, own[j].t, at);
    cross(pw, own[j].t, tmp);
    cross(pw, tmp, sum);
    for (int i = 0; i < 3; i++) at[i] += sum[i] + pa[i];
    turn_back(own[j].R, at, a + 3 * j);
    turn_back(own[j].R, pw, w + 3 * j);
    turn_back(own[j].R, pdw, dw + 3 * j);
    cross(w + 3 * j, axis, tmp);
    for (int i = 0; i < 3; i++) {
      if (L->slides[j]) a[3 * j + i] += axis[i] * dv + 2.0 * tmp[i] * v;
      else dw[3 * j + i] += axis[i] * dv + tmp[i] * v, w[3 * j + i] += axis[i] * v;
    }
    const double *com = L->com + 3 * j, *I = L->inertia + 9 * j;
    double ac[3], Iw[3], Idw[3];
    cross(w + 3 * j, com, tmp);
    cross(w + 3 * j, tmp, sum);
    cross(dw + 3 * j, com, tmp);
    turn(I, w + 3 * j, Iw);
    turn(I, dw + 3 * j, Idw);
    for (int i = 0; i < 3; i++) f[3 * j + i] = L->mass[j] * (ac[i] = a[3 * j + i] + sum[i] + tmp[i]);
    cross(w + 3 * j, Iw, sum);
    cross(com, f + 3 * j, tmp);
    for (int i = 0; i < 3; i++) t[3 * j + i] = Idw[i] + sum[i] + tmp[i];
  }
  for (int i = 0; i < L->n; i++) L->torque[i] = 0.0;
  for (int j = L->nodes - 1; j >= 0; j--) {
    int c = L->column[j], parent = L->parent[j];
    if (c >= 0) L->torque[c] += L->multiplier[j] * dot(L->axis + 3 * j, (L->slides[j] ? f : t) + 3 * j);
    if (parent < 0) continue;
    double force[3], moment[3], tmp[3];
    turn(own[j].R, f + 3 * j, force);
    turn(own[j].R, t + 3 * j, moment);
    cross(own[j].t, force, tmp);
    for (int i = 0; i < 3; i++) f[3 * parent + i] += force[i], t[3 * parent + i] += moment[i] + tmp[i];
  }
  for (int i = 0; i < L->n; i++) worst = most_of(worst, fabs(L->torque[i]) / L->torque_limit[i]);
  return worst;
}

// `trial` between the stop and `wanted` for held joints (share of the way), `wanted` for the others.
static void blend(Limiter *L, double share) {
  for (int i = 0; i < L->n; i++) {
    L->trial[i] = L->wanted[i];
    if (!L->held[i]) continue;
    L->trial[i] = L->stopped[i] + share * (L->wanted[i] - L->stopped[i]);
    if (share <= 0.0 || !inside(L, i, L->trial[i] - L->position[i] - L->moved[i])) L->trial[i] = L->stopped[i];
  }
}

// What the last look at `wanted` found is known from now on.
static void remember(Limiter *L) {
  for (int k = 0; k <= L->last; k++)
    for (int g = 0; g < L->columns; g++)
      L->known[(size_t)k * L->columns + g] = L->path[(size_t)k * L->n + L->moving[g]];
  L->known_last = L->last;
  L->shift = 0;
  memcpy(L->safe, L->found, L->pairs * sizeof(double));
}

// Makes `wanted` keep what concerns the whole robot. The stop from the last command was found good when that command
// was sent, and its next step is the fall-back: there is always something to send.
static void together(Limiter *L) {
  if (keeps(L, L->wanted, L->held)) {
    remember(L);
    return;
  }
  int good = 0;
  for (int round = 0; round < ROUNDS && !good; round++) {
    blend(L, 0.0);
    good = keeps(L, L->trial, L->held);
  }
  if (!good) {
    for (int g = 0; g < L->columns; g++) L->held[L->moving[g]] = 1;
    blend(L, 0.0);
  }
  double low = 0.0, high = 1.0;
  if (good) remember(L);
  for (int k = 0; k < HALVINGS; k++) {
    blend(L, 0.5 * (low + high));
    int kept = keeps(L, L->trial, 0);
    if (kept) remember(L);
    *(kept ? &low : &high) = 0.5 * (low + high);
    good |= kept;
  }
  blend(L, low);
  memcpy(L->wanted, L->trial, L->n * sizeof(double));
  if (good) return;
  keeps(L, L->wanted, L->held);  // the stop's next step, whatever is found on it
  remember(L);
}

// Where the estimated torque is too high, as much of the way towards the stop as helps. The stop itself is kept even
// where it needs more torque than there is: standing still comes first.
static void lighter(Limiter *L) {
  double worst = load(L, L->wanted), best = 1.0;
  if (worst <= 1.0) return;
  for (int i = 0; i < L->n; i++) {
    if (fabs(L->torque[i]) > L->torque_limit[i]) L->reasons[i] |= TORQUE;
    L->held[i] = 1;
  }
  for (int k = 3; k >= 0; k--) {
    blend(L, 0.25 * k);
    if (k && L->columns && !keeps(L, L->trial, 0)) continue;
    double now = load(L, L->trial);
    if (now < worst) worst = now, best = 0.25 * k;
    if (now <= 1.0) break;
  }
  blend(L, best);
  if (best < 1.0) memcpy(L->wanted, L->trial, L->n * sizeof(double));
  if (best < 1.0 && L->columns) {
    keeps(L, L->wanted, L->held);
    remember(L);
  }
  load(L, L->wanted);
}

// Poses at the last command. Pairs are measured anew where asked for, and start anew where joints were placed.
void limiter_look(Limiter *L, int all, int anew) {
  Pose *here = (Pose *)L->here;
  for (int j = 0; j < L->nodes; j++)
    pose_node(L, L->position, j, L->parent[j] < 0 ? 0 : here + L->parent[j], here + j);
  memset(L->fresh, 0, L->pairs);
  if (!all) return;
  for (int g = 0; g < L->columns; g++) L->known[g] = L->position[L->moving[g]];
  L->known_last = 0;
  for (int p = 0; p < L->pairs; p++) {
    double before = L->allowed[p], least = L->least[p], now = L->safe[p] = measured(L, p);
    // Where joints that are not commanded brought it nearer, it may stay.
    if (anew) L->allowed[p] = now < least ? now - L->tolerance : least;
    else if (now < before) L->allowed[p] = now;
  }
}

// One period. follows: n flags; cap: largest step of joints that have not caught up.
void limiter_step(Limiter *L, const double *request, const uint8_t *follows, double cap) {
  int n = L->n;
  memset(L->held, 0, n);
  L->looked = 0;
  L->shift = 1;
  if (L->columns) limiter_look(L, 0, 0);
  for (int i = 0; i < n; i++) L->aim[i] = follows[i] ? clamped(request[i], L->lower[i], L->upper[i]) : L->position[i];
  if (L->columns) guide(L);
  for (int i = 0; i < n; i++) {
    L->aim[i] = clamped(L->aim[i], L->lower[i], L->upper[i]);
    joint_step(L, i, follows[i], cap);
  }
  if (L->columns) together(L);
  if (L->nodes) lighter(L);
  double nearer[MOST_JOINTS];
  for (int g = 0; g < L->columns; g++) nearer[g] = -fabs(L->wanted[L->moving[g]] - L->position[L->moving[g]]);
  for (int i = 0; i < n; i++) {
    double x = L->wanted[i], u = x - L->position[i], c = u - L->moved[i];
    if (follows[i]) {
      double cut = fabs(request[i] - x), slack = 1e-12;
      if (cut > 0.0) {
        if (cut > L->taken[i]) L->taken[i] = cut;
        if (request[i] < L->lower[i] || request[i] > L->upper[i]) L->reasons[i] |= POSITION;
        if (fabs(u) >= L->fastest[i] - slack) L->reasons[i] |= VELOCITY;
        if (fabs(c) >= L->brake[i] - slack) L->reasons[i] |= ACCELERATION;
        if (fabs(c - L->change[i]) >= L->jerk[i] - slack) L->reasons[i] |= JERK;
      }
      if (x == L->aim[i]) L->caught[i] = 1;
      note_request(L, i, L->aim[i]);
    } else {
      L->request[i] = x;
      L->request_change[i] = L->smooth_change[i] = c;
      L->request_moved[i] = L->smooth_moved[i] = u;
    }
    L->position[i] = x;
    L->moved[i] = u;
    L->change[i] = c;
  }
  add_levers(L, nearer, L->bound);
}
