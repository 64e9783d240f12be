// Chains of a call in the layout of lanes, shared among threads.
#pragma once
#include <complex>
#include <memory>
#include <vector>

#include "lattice.h"
#include "threads.h"
#include "xla/ffi/api/ffi.h"

namespace gaugemc {
namespace ffi = xla::ffi;
using Error = ffi::Error;
using Pool = ffi::ThreadPool;

// Work for one task of a loop over the sites of all lanes.
constexpr int kChunk = 32;

// The arrays of a call: leading axes are chains, then [direction, L_0, ..., L_{d-1}, N, N].
struct Shape {
  std::vector<int> extents;
  int64_t chains = 1;
  int n;
  ffi::DataType type;

  Shape(const ffi::AnyBuffer& x, int64_t dimensions) : type(x.element_type()) {
    const auto sizes = x.dimensions();
    const int leading = int(sizes.size() - dimensions) - 3;
    for (int i = 0; i < leading; i++) chains *= sizes[i];
    for (int i = 0; i < dimensions; i++) extents.push_back(int(sizes[leading + 1 + i]));
    n = int(sizes[sizes.size() - 1]);
  }
};

// Chains from `first` on, in the layout of lanes.
template <int N_, class T_>
class Batch {
 public:
  static constexpr int N = N_;
  using T = T_;
  using Complex = std::complex<T>;
  Lattice<N, T> lattice;
  int first;  // chain
  Pool* pool;

  Batch(const std::vector<int>& extents, const std::vector<int>& cut, int chains, int first,
        Pool* pool)
      : lattice(extents, cut, chains), first(first), pool(pool) {}

  int links() const { return lattice.dimensions * lattice.sites; }

  // task(0), ..., task(n - 1), on all threads of the batch.
  template <class Task>
  void each(int n, const Task& task) const {
    const int chunks = (n + kChunk - 1) / kChunk;
    parallel(chunks > 1 ? pool : nullptr, chunks, [&](int chunk) {
      for (int i = chunk * kChunk; i < std::min((chunk + 1) * kChunk, n); i++) task(i);
    });
  }

  // task(mu, site) for every link of all lanes; the links of a site share neighbours.
  template <class Task>
  void each_link(const Task& task) const {
    each(links(), [&](int i) { task(i % lattice.dimensions, i / lattice.dimensions); });
  }

  template <class Number>
  Number* in_array(Number* array, int lane, int mu, int site) const {
    const int64_t before = first * int64_t(links()) * lattice.blocks;
    return lattice.in_array(array, lane, mu, site) + before * N * N;
  }

  std::unique_ptr<Matrix<N, T>[]> load_matrices(const Complex* array) const {
    std::unique_ptr<Matrix<N, T>[]> field(new Matrix<N, T>[links()]);
    each_link([&](int mu, int site) {
      auto& m = field[mu * lattice.sites + site];
      for (int l = 0; l < kLanes<T>; l++) {
        const Complex* from = in_array(array, l, mu, site);
        for (int i = 0; i < N; i++)
          for (int j = 0; j < N; j++)
            m.re[i][j][l] = from[N * i + j].real(), m.im[i][j][l] = from[N * i + j].imag();
      }
    });
    return field;
  }

  void store(const Matrix<N, T>& m, Complex* array, int mu, int site) const {
    for (int l = 0; l < lattice.chains * lattice.blocks; l++) {
      Complex* to = in_array(array, l, mu, site);
      for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) to[N * i + j] = {m.re[i][j][l], m.im[i][j][l]};
    }
  }

  std::unique_ptr<Algebra<N, T>[]> load_algebra(const Complex* array) const {
    std::unique_ptr<Algebra<N, T>[]> field(new Algebra<N, T>[links()]);
    each_link([&](int mu, int site) {
      auto& a = field[mu * lattice.sites + site];
      for (int l = 0; l < kLanes<T>; l++) {
        const Complex* from = in_array(array, l, mu, site);
        for (int j = 0; j < N; j++) {
          a.diagonal[j][l] = from[N * j + j].imag();
          for (int k = j + 1; k < N; k++) {
            a.re[pair(N, j, k)][l] = from[N * j + k].real();
            a.im[pair(N, j, k)][l] = from[N * j + k].imag();
          }
        }
      }
    });
    return field;
  }

  void store(const Algebra<N, T>& a, Complex* array, int mu, int site) const {
    for (int l = 0; l < lattice.chains * lattice.blocks; l++) {
      Complex* to = in_array(array, l, mu, site);
      for (int j = 0; j < N; j++) {
        to[N * j + j] = {0, a.diagonal[j][l]};
        for (int k = j + 1; k < N; k++) {
          const T re = a.re[pair(N, j, k)][l], im = a.im[pair(N, j, k)][l];
          to[N * j + k] = {re, im};
          to[N * k + j] = {-re, im};
        }
      }
    }
  }

  // A number for each lane from those of each chain of the call, which are `stride` apart.
  template <class Number>
  Lanes<T> of_chains(const Number* numbers, int stride = 1) const {
    Lanes<T> v;
    for (int l = 0; l < kLanes<T>; l++) v[l] = T(numbers[(first + lattice.chain(l)) * stride]);
    return v;
  }
};

using Numbers = ffi::Buffer<ffi::F64>;

// task(batch) for batches of chains that fill the lanes as well as can be. Threads share the
// batches, or the sites of each where there are fewer batches than threads.
template <int N, class T, class Task>
void each_batch(const Shape& shape, Pool pool, const Task& task) {
  struct Plan {
    std::vector<int> cut;
    int chains, first;
  };
  std::vector<Plan> plans;
  for (int first = 0; first < shape.chains;) {
    const int left = int(std::min<int64_t>(shape.chains - first, kLanes<T>));
    Plan best{{}, 1, first};
    int filled = 0;
    for (int chains = 1; chains <= left; chains++) {
      const auto cut = blocks_of(shape.extents, kLanes<T> / chains);
      int lanes = chains;
      for (int c : cut) lanes *= c;
      if (lanes > filled) filled = lanes, best = {cut, chains, first};
    }
    plans.push_back(best);
    first += best.chains;
  }
  const bool few = int64_t(plans.size()) < pool.num_threads();
  parallel(few ? nullptr : &pool, int(plans.size()), [&](int i) {
    const Plan& plan = plans[i];
    task(Batch<N, T>(shape.extents, plan.cut, plan.chains, plan.first, few ? &pool : nullptr));
  });
}

// The same for the gauge group and the type of the arrays. `task` takes any Batch.
template <class Task>
Error dispatch(const Shape& shape, Pool pool, const Task& task) {
  const bool wide = shape.type == ffi::C128;
  if (!wide && shape.type != ffi::C64) return Error::InvalidArgument("links: must be complex");
  if (shape.n == 2 && wide) each_batch<2, double>(shape, pool, task);
  if (shape.n == 2 && !wide) each_batch<2, float>(shape, pool, task);
  if (shape.n == 3 && wide) each_batch<3, double>(shape, pool, task);
  if (shape.n == 3 && !wide) each_batch<3, float>(shape, pool, task);
  if (shape.n != 2 && shape.n != 3) return Error::InvalidArgument("links: only SU(2) and SU(3)");
  return Error::Success();
}

}  // namespace gaugemc
