// Chains of a call in the layout of lanes, shared among threads.
#pragma once
#include <complex>
#include <cstring>
#include <deque>
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
// The same where links are numbers.
constexpr int kRange = 512;

// The arrays of a call: leading axes are chains, then [direction, L_0, ..., L_{d-1}], and [N, N]
// where links are matrices.
struct Shape {
  std::vector<int> extents;
  int64_t chains = 1;
  int n;
  ffi::DataType type;

  Shape(const ffi::AnyBuffer& x, int64_t dimensions) : type(x.element_type()) {
    const auto sizes = x.dimensions();
    const int group_axes = type == ffi::F32 || type == ffi::F64 ? 0 : 2;
    const int leading = int(sizes.size() - dimensions) - 1 - group_axes;
    for (int i = 0; i < leading; i++) chains *= sizes[i];
    for (int i = 0; i < dimensions; i++) extents.push_back(int(sizes[leading + 1 + i]));
    n = group_axes ? int(sizes.back()) : 1;
  }
};

// Chains from `first` on, in the layout of lanes.
template <int N_, class T_>
class Batch {
 public:
  static constexpr int N = N_;
  using T = T_;
  using Complex = std::complex<T>;
  const Lattice<N, T>& lattice;
  int first;  // chain
  Pool* pool;

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

  // task(begin, end) for ranges of the sites of all lanes.
  template <class Task>
  void each_range(const Task& task) const {
    const int ranges = (lattice.sites + kRange - 1) / kRange;
    if (ranges == 1) return task(0, lattice.sites);
    parallel(pool, ranges, [&](int i) {
      task(i * kRange, std::min((i + 1) * kRange, lattice.sites));
    });
  }

  // Fields with a number on each link.
  std::vector<Lanes<T>> load(const T* array) const {
    std::vector<Lanes<T>> field(links());
    copy<kLanes<T>>(array, field.data(), [](const T* numbers, T* lanes, size_t size) {
      std::memcpy(lanes, numbers, size);
    });
    return field;
  }

  void store(const std::vector<Lanes<T>>& field, T* array) const {
    copy<kLanes<T>>(array, field.data(), [](T* numbers, const T* lanes, size_t size) {
      std::memcpy(numbers, lanes, size);
    });
  }

  // A number for each lane from those of each chain of the call, which are `stride` apart.
  template <class Number>
  Lanes<T> of_chains(const Number* numbers, int stride = 1) const {
    Lanes<T> v;
    for (int l = 0; l < kLanes<T>; l++) v[l] = T(numbers[(first + lattice.chain(l)) * stride]);
    return v;
  }

 private:
  // task(numbers, lanes, size) for all numbers, as many at once as follow each other in the array.
  template <int kRun, class A, class F, class Task>
  void copy(A* array, F* field, const Task& task) const {
    if constexpr (kRun > 1)
      if (lattice.run % kRun) return copy<kRun / 2>(array, field, task);
    using Lane = std::conditional_t<std::is_const<F>::value, const T, T>;
    const int64_t* offsets = lattice.offsets();
    each_range([&](int begin, int end) {
      for (int lane = 0; lane < lattice.chains * lattice.blocks; lane += kRun)
        for (int mu = 0; mu < lattice.dimensions; mu++) {
          A* numbers = in_array(array, lane, mu, 0);
          auto* lanes = reinterpret_cast<Lane*>(field + mu * lattice.sites) + lane;
          for (int site = begin; site < end; site++)
            task(numbers + offsets[site], lanes + site * kLanes<T>, kRun * sizeof(T));
        }
    });
  }
};

using Numbers = ffi::Buffer<ffi::F64>;

// The lattice of so many chains, or fewer, that fills the lanes as well as can be.
template <int N, class T>
Lattice<N, T> fullest(const std::vector<int>& extents, int most) {
  std::vector<int> best;
  int best_chains = 0, filled = 0;
  for (int chains = 1; chains <= most && filled < kLanes<T>; chains++) {
    // Matrices are permuted at a cost. Numbers are not, but move in and out best many at once.
    const auto cut = blocks_of(extents, kLanes<T> / chains, N > 1 ? faces : short_runs);
    int lanes = chains;
    for (int c : cut) lanes *= c;
    if (lanes > filled) filled = lanes, best = cut, best_chains = chains;
  }
  return {extents, best, best_chains};
}

// task(batch) for batches of chains. Threads share the batches, or the sites of each where there
// are fewer batches than threads.
template <int N, class T, class Task>
void each_batch(const Shape& shape, Pool pool, const Task& task) {
  std::deque<Lattice<N, T>> lattices;
  std::vector<Batch<N, T>> batches;
  for (int first = 0; first < shape.chains; first += lattices.back().chains) {
    const int left = int(std::min<int64_t>(shape.chains - first, kLanes<T>));
    if (lattices.empty() || lattices.back().chains > left)
      lattices.push_back(fullest<N, T>(shape.extents, left));
    batches.push_back({lattices.back(), first, nullptr});
  }
  const bool few = int64_t(batches.size()) < pool.num_threads();
  parallel(few ? nullptr : &pool, int(batches.size()), [&](int i) {
    if (few) batches[i].pool = &pool;
    task(batches[i]);
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
