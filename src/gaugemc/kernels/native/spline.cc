// The spline of a split (flows/multiscale/split_table.py): value, log of the slope, and their
// derivatives, for each angle with its flux.
#include <cmath>
#include <cstdint>
#include <cstring>

#include "elementary.h"
#include "threads.h"

namespace gaugemc {
namespace ffi = xla::ffi;

// Elements at once. Loops over them are loops of vectors.
constexpr int kTile = 64;
// Work for one task.
constexpr int kTilesOfTask = 16;

// The logarithms of a tile; NaN of what is not positive and finite.
template <class T>
inline void take_logarithms(T (&numbers)[kTile]) {
  for (int i = 0; i < kTile; i += kLanes<T>) {
    Lanes<T> x;
    std::memcpy(&x, numbers + i, sizeof(x));
    const Integers<T> good = (x > T(0)) & (x < T(INFINITY));
    const Lanes<T> result = good ? logarithm<T>(x) : Lanes<T>{} + T(NAN);
    std::memcpy(numbers + i, &result, sizeof(x));
  }
}

// The numbers that a spline reads, [row, column, 4], and the places of its knots.
template <class T>
struct Spline {
  const T* reads;
  int rows, columns;
  T tail, core, half;

  // The cell, one of n, of a place. NaN is in the first.
  static T cell(T where, int n) {
    const T whole = std::floor(where);
    return where > 0 ? (whole < n - 1 ? whole : T(n - 1)) : T(0);
  }

  void evaluate(const T* angle, const T* flux, T (&out)[6][kTile]) const {
    typedef T Four __attribute__((vector_size(4 * sizeof(T)), aligned(sizeof(T))));
    T t[kTile], stretch[kTile], bend[kTile], logs[kTile], weights[4][kTile], slopes[4][kTile];
    int first[kTile];
    Four across[kTile], bent[kTile];
    for (int i = 0; i < kTile; i++) {
      // A division, not a product with 1 / pi: of pi it is 1 to the last bit.
      const T above = 1 + angle[i] / T(M_PI), below = 1 - angle[i] / T(M_PI);
      const T up = std::sqrt(above * above + tail * tail);
      const T down = std::sqrt(below * below + tail * tail);
      const T high = 1 / up, low = 1 / down, sum = high + low + core;
      logs[i] = (above + up) / (below + down);
      stretch[i] = sum * (columns / (T(2 * M_PI) * half));
      bend[i] = (below * low * low * low - above * high * high * high) / (T(M_PI) * sum);
    }
    take_logarithms(logs);
    for (int i = 0; i < kTile; i++) {
      const T bent_line = logs[i] + core * T(M_1_PI) * angle[i];
      const T column = columns * (bent_line * (T(0.5) / half) + T(0.5));
      const T turns = flux[i] * T(0.5 * M_1_PI), row = rows * (turns - std::floor(turns));
      const T there = cell(column, columns), beside = cell(row, rows);
      first[i] = 4 * (int(beside) * columns + int(there));
      t[i] = column - there;
      const T v = row - beside, w = 1 - v;
      weights[0][i] = w * w * w / 6, weights[3][i] = v * v * v / 6;
      weights[1][i] = (4 - 6 * v * v + 3 * v * v * v) / 6;
      weights[2][i] = (4 - 6 * w * w + 3 * w * w * w) / 6;
      slopes[0][i] = -w * w / 2, slopes[3][i] = v * v / 2;
      slopes[1][i] = v * (3 * v - 4) / 2, slopes[2][i] = w * (4 - 3 * w) / 2;
    }
    for (int i = 0; i < kTile; i++) {
      across[i] = bent[i] = Four{};
      for (int j = 0; j < 4; j++) {
        const Four row = *reinterpret_cast<const Four*>(reads + first[i] + 4 * columns * j);
        across[i] += weights[j][i] * row;
        bent[i] += slopes[j][i] * row;
      }
    }
    const T *a = &across[0][0], *b = &bent[0][0];
    const T rate = T(rows / (2 * M_PI));
    for (int i = 0; i < kTile; i++) {
      const T z = t[i], w = 1 - z;
      const T c1 = (4 - 6 * z * z + 3 * z * z * z) / 6, c2 = (4 - 6 * w * w + 3 * w * w * w) / 6;
      const T c3 = z * z * z / 6, q1 = w * w / 2, q2 = T(0.5) + z * w, q3 = z * z / 2;
      const T a1 = a[4 * i + 1], a2 = a[4 * i + 2], a3 = a[4 * i + 3];
      const T b1 = b[4 * i + 1], b2 = b[4 * i + 2], b3 = b[4 * i + 3];
      const T slope = q1 * a1 + q2 * a2 + q3 * a3;
      const T curvature = (z - 1) * a1 + (1 - 2 * z) * a2 + z * a3;
      out[0][i] = a[4 * i] + (c1 + c2 + c3) * a1 + (c2 + c3) * a2 + c3 * a3;
      out[1][i] = slope * stretch[i];
      out[2][i] = slope * stretch[i];
      out[3][i] = curvature / slope * stretch[i] + bend[i];
      out[4][i] = rate * (b[4 * i] + (c1 + c2 + c3) * b1 + (c2 + c3) * b2 + c3 * b3);
      out[5][i] = rate * (q1 * b1 + q2 * b2 + q3 * b3) / slope;
    }
    take_logarithms(out[1]);
  }
};

template <class T>
void evaluate(ffi::ThreadPool pool, const ffi::AnyBuffer& reads, double tail, double core,
              const void* angle, const void* flux, int64_t count, void* const (&results)[6]) {
  const auto sizes = reads.dimensions();
  const Spline<T> spline{static_cast<const T*>(reads.untyped_data()), int(sizes[0]) - 3,
                         int(sizes[1]), T(tail), T(core), T(std::asinh(2 / tail) + core)};
  const int64_t task = kTile * kTilesOfTask;
  const int tasks = int((count + task - 1) / task);
  parallel(tasks > 1 ? &pool : nullptr, tasks, [&](int number) {
    const int64_t end = std::min(count, (number + 1) * task);
    for (int64_t i = number * task; i < end; i += kTile) {
      const size_t size = std::min<int64_t>(kTile, end - i) * sizeof(T);
      T angles[kTile]{}, fluxes[kTile]{}, out[6][kTile];
      std::memcpy(angles, static_cast<const T*>(angle) + i, size);
      std::memcpy(fluxes, static_cast<const T*>(flux) + i, size);
      spline.evaluate(angles, fluxes, out);
      for (int k = 0; k < 6; k++) std::memcpy(static_cast<T*>(results[k]) + i, out[k], size);
    }
  });
}

using Result = ffi::Result<ffi::AnyBuffer>;

ffi::Error Derivatives(ffi::ThreadPool pool, double tail, double core, ffi::AnyBuffer reads,
                       ffi::AnyBuffer angle, ffi::AnyBuffer flux, Result value, Result log_slope,
                       Result by_angle, Result log_by_angle, Result by_flux, Result log_by_flux) {
  void* const results[6] = {value->untyped_data(),        log_slope->untyped_data(),
                            by_angle->untyped_data(),     log_by_angle->untyped_data(),
                            by_flux->untyped_data(),      log_by_flux->untyped_data()};
  const auto run = angle.element_type() == ffi::F64 ? evaluate<double> : evaluate<float>;
  run(pool, reads, tail, core, angle.untyped_data(), flux.untyped_data(), angle.element_count(),
      results);
  return ffi::Error::Success();
}

using Field = ffi::AnyBuffer;

XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_spline, Derivatives,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Attr<double>("tail")
                                  .Attr<double>("core")
                                  .Arg<Field>()
                                  .Arg<Field>()
                                  .Arg<Field>()
                                  .Ret<Field>()
                                  .Ret<Field>()
                                  .Ret<Field>()
                                  .Ret<Field>()
                                  .Ret<Field>()
                                  .Ret<Field>());

}  // namespace gaugemc
