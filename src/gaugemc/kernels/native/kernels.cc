// The handlers that XLA calls: for any number of chains, SU(2) and SU(3), float and double.
#include <complex>
#include <vector>

#include "threads.h"
#include "wilson.h"
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
  int64_t chains = 1, links = 1;
  int n;
  ffi::DataType type;

  Shape(const ffi::AnyBuffer& x, int64_t dimensions) : type(x.element_type()) {
    const auto sizes = x.dimensions();
    const int batch = int(sizes.size() - dimensions) - 3;
    for (int i = 0; i < batch; i++) chains *= sizes[i];
    links = sizes[batch];
    for (int i = 0; i < dimensions; i++) {
      extents.push_back(int(sizes[batch + 1 + i]));
      links *= extents.back();
    }
    n = int(sizes[sizes.size() - 1]);
  }
};

// Chains from `first` on, in the layout of lanes.
template <int N_, class T_>
class Group {
 public:
  static constexpr int N = N_;
  using T = T_;
  using Complex = std::complex<T>;
  Lattice<N, T> lattice;
  int first;  // chain
  Pool* pool;

  Group(const std::vector<int>& extents, const std::vector<int>& cut, int chains, int first,
        Pool* pool)
      : lattice(extents, cut, chains), first(first), pool(pool) {}

  int links() const { return lattice.dimensions * lattice.sites; }

  // task(mu, site) for every link of all lanes.
  template <class Task>
  void each_link(const Task& task) const {
    const int chunks = (links() + kChunk - 1) / kChunk;
    parallel(chunks > 1 ? pool : nullptr, chunks, [&](int chunk) {
      for (int i = chunk * kChunk; i < std::min((chunk + 1) * kChunk, links()); i++)
        task(i / lattice.sites, i % lattice.sites);
    });
  }

  template <class Number>
  Number* in_array(Number* array, int lane, int mu, int site) const {
    return lattice.in_array(array, lane, mu, site) + first * int64_t(links()) * lattice.blocks * N * N;
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

  // A number for each lane from one for each chain of the call.
  template <class Number>
  Lanes<T> of_chains(const Number* numbers) const {
    Lanes<T> v;
    for (int l = 0; l < kLanes<T>; l++) v[l] = T(numbers[first + lattice.chain(l)]);
    return v;
  }
};

// task(group) for groups of chains that fill the lanes as well as can be. Where there are several
// groups, threads share groups; else they share the sites.
template <int N, class T, class Task>
void each_group(const Shape& shape, Pool pool, const Task& task) {
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
  const bool alone = plans.size() == 1;
  parallel(&pool, int(plans.size()), [&](int i) {
    const Plan& plan = plans[i];
    task(Group<N, T>(shape.extents, plan.cut, plan.chains, plan.first, alone ? &pool : nullptr));
  });
}

// The same for the group and the type of the arrays; `task` is a template function of a Group.
template <class Task>
Error dispatch(const Shape& shape, Pool pool, const Task& task) {
  const bool wide = shape.type == ffi::C128;
  if (!wide && shape.type != ffi::C64) return Error::InvalidArgument("links: must be complex");
  if (shape.n == 2 && wide) each_group<2, double>(shape, pool, task);
  if (shape.n == 2 && !wide) each_group<2, float>(shape, pool, task);
  if (shape.n == 3 && wide) each_group<3, double>(shape, pool, task);
  if (shape.n == 3 && !wide) each_group<3, float>(shape, pool, task);
  if (shape.n != 2 && shape.n != 3) return Error::InvalidArgument("links: only SU(2) and SU(3)");
  return Error::Success();
}

template <class T>
std::complex<T>* data(const ffi::AnyBuffer& buffer) {
  return static_cast<std::complex<T>*>(buffer.untyped_data());
}

template <class G>
Algebra<G::N, typename G::T> force_on_link(const G& group, const Matrix<G::N, typename G::T>* links,
                                           Lanes<typename G::T> beta, int mu, int site) {
  const auto loops = plaquettes_of_link(group.lattice, links, mu, site);
  return anti_hermitian_traceless(loops, beta * typename G::T(0.5 / G::N));
}

Error Force(Pool pool, int64_t dimensions, ffi::AnyBuffer x, ffi::Buffer<ffi::F64> beta,
            ffi::Result<ffi::AnyBuffer> force) {
  return dispatch(Shape(x, dimensions), pool, [&](const auto& group) {
    using T = typename std::decay_t<decltype(group)>::T;
    const auto links = group.load_matrices(data<T>(x));
    const auto weight = group.of_chains(beta.typed_data());
    group.each_link([&](int mu, int site) {
      group.store(force_on_link(group, links.get(), weight, mu, site), data<T>(*force), mu, site);
    });
  });
}

// The sum of Re tr P / N over all plaquettes of each chain. Chunks are summed in a fixed order.
Error PlaquetteSum(Pool pool, int64_t dimensions, ffi::AnyBuffer x,
                   ffi::Result<ffi::Buffer<ffi::F64>> sum) {
  return dispatch(Shape(x, dimensions), pool, [&](const auto& group) {
    using G = std::decay_t<decltype(group)>;
    using T = typename G::T;
    const auto links = group.load_matrices(data<T>(x));
    const auto& lattice = group.lattice;
    std::vector<double> sums(lattice.sites * kLanes<T>);
    parallel(group.pool, lattice.sites, [&](int site) {
      const Lanes<T> traces = plaquette_traces(lattice, links.get(), site);
      for (int l = 0; l < kLanes<T>; l++) sums[site * kLanes<T> + l] = traces[l];
    });
    for (int l = 0; l < lattice.chains * lattice.blocks; l++) {
      double& total = sum->typed_data()[group.first + lattice.chain(l)];
      if (l % lattice.blocks == 0) total = 0;
      for (int site = 0; site < lattice.sites; site++) total += sums[site * kLanes<T> + l] / G::N;
    }
  });
}

// Stages of a drift and a kick. A chain that has done its steps takes steps of size 0.
Error Trajectory(Pool pool, int64_t dimensions, ffi::Span<const double> kicks,
                 ffi::Span<const double> drifts, ffi::AnyBuffer x, ffi::AnyBuffer v,
                 ffi::AnyBuffer force, ffi::Buffer<ffi::F64> beta,
                 ffi::Buffer<ffi::F64> step_size, ffi::Buffer<ffi::S32> n_steps,
                 ffi::Result<ffi::AnyBuffer> end_x, ffi::Result<ffi::AnyBuffer> end_v,
                 ffi::Result<ffi::AnyBuffer> end_force) {
  return dispatch(Shape(x, dimensions), pool, [&](const auto& group) {
    using G = std::decay_t<decltype(group)>;
    using T = typename G::T;
    const auto& lattice = group.lattice;
    const auto links = group.load_matrices(data<T>(x));
    const auto momenta = group.load_algebra(data<T>(v)), forces = group.load_algebra(data<T>(force));
    const auto weight = group.of_chains(beta.typed_data());
    const auto dt = group.of_chains(step_size.typed_data());
    const int stages = int(drifts.size());
    int64_t last = 0, ends[kLanes<T>];
    for (int l = 0; l < kLanes<T>; l++) {
      ends[l] = int64_t(n_steps.typed_data()[group.first + lattice.chain(l)]) * stages;
      last = std::max(last, ends[l]);
    }
    // Two kicks that meet are one.
    auto kick_before = [&](int64_t stage) {
      Lanes<T> kick{};
      for (int l = 0; l < kLanes<T>; l++) {
        const bool after = stage > 0 && stage <= ends[l] && stage % stages == 0;
        kick[l] = -dt[l] * ((stage < ends[l] ? T(kicks[stage % stages]) : T(0)) + (after ? T(kicks[stages]) : T(0)));
      }
      return kick;
    };
    const auto first_kick = kick_before(0);
    group.each_link([&](int mu, int site) {
      const int i = mu * lattice.sites + site;
      add_multiple(momenta[i], first_kick, forces[i]);
    });
    for (int64_t stage = 0; stage < last; stage++) {
      Lanes<T> drift{};
      for (int l = 0; l < kLanes<T>; l++)
        drift[l] = stage < ends[l] ? dt[l] * T(drifts[stage % stages]) : T(0);
      group.each_link([&](int mu, int site) {
        const int i = mu * lattice.sites + site;
        Algebra<G::N, T> a{};
        add_multiple(a, drift, momenta[i]);
        links[i] = product<As::kItself, As::kItself>(exponential(a), links[i]);
      });
      const auto kick = kick_before(stage + 1);
      group.each_link([&](int mu, int site) {
        const int i = mu * lattice.sites + site;
        const auto f = force_on_link(group, links.get(), weight, mu, site);
        add_multiple(momenta[i], kick, f);
        if (stage + 1 == last) forces[i] = f;
      });
    }
    group.each_link([&](int mu, int site) {
      const int i = mu * lattice.sites + site;
      group.store(links[i], data<T>(*end_x), mu, site);
      group.store(momenta[i], data<T>(*end_v), mu, site);
      group.store(forces[i], data<T>(*end_force), mu, site);
    });
  });
}

using Field = ffi::AnyBuffer;
using Numbers = ffi::Buffer<ffi::F64>;

XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_force, Force,
                              ffi::Ffi::Bind().Ctx<Pool>().Attr<int64_t>("dimensions").Arg<Field>().Arg<Numbers>().Ret<Field>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_plaquette_sum, PlaquetteSum,
                              ffi::Ffi::Bind().Ctx<Pool>().Attr<int64_t>("dimensions").Arg<Field>().Ret<Numbers>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_trajectory, Trajectory,
                              ffi::Ffi::Bind()
                                  .Ctx<Pool>()
                                  .Attr<int64_t>("dimensions")
                                  .Attr<ffi::Span<const double>>("kicks")
                                  .Attr<ffi::Span<const double>>("drifts")
                                  .Arg<Field>().Arg<Field>().Arg<Field>()
                                  .Arg<Numbers>().Arg<Numbers>().Arg<ffi::Buffer<ffi::S32>>()
                                  .Ret<Field>().Ret<Field>().Ret<Field>());

}  // namespace gaugemc
