// SPDX-License-Identifier: Apache-2.0
// One joint: the fastest stop that keeps acceleration and jerk limits, exact for commands that leave once per period.
//
// All figures are in displacements per period, so that no division by the period adds rounding: step u (velocity * dt),
// change c (acceleration * dt^2), limits A (acceleration * dt^2) and J (jerk * dt^3).
#pragma once
#include <math.h>

// Largest first step of a sequence that shrinks by at most `brake` per period and covers `distance`.
// With n full braking steps after it a step u covers (n + 1) u - brake n (n + 1) / 2.
static double braking_step(double distance, double brake) {
  if (distance <= brake) return distance > 0.0 ? distance : 0.0;
  double n = floor(0.5 * (sqrt(1.0 + 8.0 * (distance / brake)) - 1.0));
  return (distance + 0.5 * brake * n * (n + 1.0)) / (n + 1.0);
}

// What such a sequence still covers after a step of that size: the velocity that is lost while a change fades away.
static double fading(double size, double brake) {
  double n = floor(size / brake);
  return n * size - 0.5 * brake * n * (n + 1.0);
}

// As fmin and fmax for numbers, but compiled in place.
static double least_of(double a, double b) { return a < b ? a : b; }
static double most_of(double a, double b) { return a > b ? a : b; }

static double clamped(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

// The stop's next change from step u and change c. It is a feedback law: what is left of a stop is the stop from there.
// The braking law is used one order higher: step u is the way to go, change c the speed, jerk the brake.
static double stop_change(double u, double c, double A, double J) {
  double wanted = A;  // unless it is time to let the deceleration fade
  if (fabs(u) < 2.0 * A + A * A / J) wanted = least_of(A, braking_step(fabs(u), J));
  return clamped(u > 0.0 ? -wanted : wanted, c - J, c + J);
}

// How far the stop from (u, c) still goes up and down from where it is, both >= 0.
static void stop_extent(double u, double c, double A, double J, double *up, double *down) {
  double x = 0.0, full = A + fading(A, J);
  *up = *down = 0.0;
  for (int guard = 0; guard < 100000 && (u != 0.0 || c != 0.0); guard++) {
    double s = u < 0.0 ? -1.0 : 1.0, size = fabs(u);
    if (s * c == -A && size >= full) {  // hold the full deceleration
      double n = floor((size - full) / A) + 1.0;
      x += s * (n * size - 0.5 * A * n * (n + 1.0));
      u -= s * n * A;
    } else {
      double m = braking_step(size, J);
      if (m <= A && -s * m >= c - J && -s * m <= c + J) {  // from here on the deceleration fades at the jerk limit
        double n = m > 0.0 ? ceil(m / J) - 1.0 : 0.0;
        x += s * (0.5 * m * n * (n + 1.0) - J * n * (n + 1.0) * (2.0 * n + 1.0) / 6.0);
        u = c = 0.0;
      } else {
        c = stop_change(u, c, A, J);
        u += c;
        x += u;
      }
    }
    if (x > *up) *up = x;
    if (-x > *down) *down = -x;
  }
}

// Way to rest from a speed w without acceleration, in continuous time.
static double way_from(double w, double A, double J) {
  return w > A * A / J ? 0.5 * w * (w / A + A / J) : w * sqrt(w / J);
}

// Way to rest from (u, c), signed, in continuous time: near enough to aim by, not to promise by.
static double way_to_rest(double u, double c, double A, double J) {
  double s = 1.0, w = u + 0.5 * c * fabs(c) / J;  // speed once the change has faded
  if (w < 0.0) s = -1.0, u = -u, c = -c, w = -w;
  double t = fabs(c) / J;
  if (c >= 0.0) return s * (u * t + c * t * t / 2.0 - J * t * t * t / 6.0 + way_from(w, A, J));
  w = u + 0.5 * c * c / J;  // brakes already: on the profile that began at this speed
  return s * (way_from(w, A, J) - (w * t - J * t * t * t / 6.0));
}
