// The handlers that XLA calls: for any number of chains, SU(2) and SU(3), float and double.
#include "force.h"
#include "rectangles.h"

namespace gaugemc {

template <class T>
std::complex<T>* data(const ffi::AnyBuffer& buffer) {
  return static_cast<std::complex<T>*>(buffer.untyped_data());
}

Error Force(Pool pool, int64_t dimensions, ffi::AnyBuffer x, Numbers couplings,
            ffi::Result<ffi::AnyBuffer> force) {
  return dispatch(Shape(x, dimensions), pool, [&](const auto& batch) {
    using B = std::decay_t<decltype(batch)>;
    using T = typename B::T;
    const auto links = batch.load_matrices(data<T>(x));
    const std::unique_ptr<Algebra<B::N, T>[]> forces(new Algebra<B::N, T>[batch.links()]());
    const GaugeForce<B> gauge(batch, couplings);
    gauge.each_part(links.get(), [&](int mu, int site, const auto& part) {
      add_multiple(forces[mu * batch.lattice.sites + site], Lanes<T>{} + T(1), part);
    });
    batch.each_link([&](int mu, int site) {
      batch.store(forces[mu * batch.lattice.sites + site], data<T>(*force), mu, site);
    });
  });
}

// The sum of the staples of every link, with their couplings.
Error Staples(Pool pool, int64_t dimensions, ffi::AnyBuffer x, Numbers couplings,
              ffi::Result<ffi::AnyBuffer> staples) {
  return dispatch(Shape(x, dimensions), pool, [&](const auto& batch) {
    using B = std::decay_t<decltype(batch)>;
    using T = typename B::T;
    const auto links = batch.load_matrices(data<T>(x));
    const int loops = int(couplings.dimensions().back());
    const auto* numbers = couplings.typed_data();
    const auto plaquette = batch.of_chains(numbers, loops);
    const auto rectangle = batch.of_chains(numbers + loops - 1, loops);
    batch.each_link([&](int mu, int site) {
      Matrix<B::N, T> sum{};
      add_multiple(sum, plaquette, staples_of_link(batch.lattice, links.get(), mu, site));
      if (loops > 1)
        add_multiple(sum, rectangle,
                     rectangle_staples_of_link(batch.lattice, links.get(), mu, site));
      batch.store(sum, data<T>(*staples), mu, site);
    });
  });
}

// The sum of Re tr / N over all loops of each chain, from the sum of Re tr at a site. Sites are
// summed in a fixed order.
template <class Traces>
Error loop_sum(Pool pool, int64_t dimensions, const ffi::AnyBuffer& x, double* result,
               const Traces& traces_of) {
  return dispatch(Shape(x, dimensions), pool, [&](const auto& batch) {
    using B = std::decay_t<decltype(batch)>;
    using T = typename B::T;
    const auto links = batch.load_matrices(data<T>(x));
    const auto& lattice = batch.lattice;
    std::vector<double> sums(lattice.sites * kLanes<T>);
    parallel(batch.pool, lattice.sites, [&](int site) {
      const Lanes<T> traces = traces_of(lattice, links.get(), site);
      for (int l = 0; l < kLanes<T>; l++) sums[site * kLanes<T> + l] = traces[l];
    });
    for (int l = 0; l < lattice.chains * lattice.blocks; l++) {
      double& total = result[batch.first + lattice.chain(l)];
      if (l % lattice.blocks == 0) total = 0;
      for (int site = 0; site < lattice.sites; site++) total += sums[site * kLanes<T> + l] / B::N;
    }
  });
}

Error PlaquetteSum(Pool pool, int64_t dimensions, ffi::AnyBuffer x, ffi::Result<Numbers> sum) {
  return loop_sum(pool, dimensions, x, sum->typed_data(),
                  [](const auto&... of) { return plaquette_traces(of...); });
}

Error RectangleSum(Pool pool, int64_t dimensions, ffi::AnyBuffer x, ffi::Result<Numbers> sum) {
  return loop_sum(pool, dimensions, x, sum->typed_data(),
                  [](const auto&... of) { return rectangle_traces(of...); });
}

// exp(dt v) x on every link.
Error Move(Pool pool, int64_t dimensions, ffi::AnyBuffer x, ffi::AnyBuffer v,
           ffi::Buffer<ffi::F64> dt, ffi::Result<ffi::AnyBuffer> end) {
  return dispatch(Shape(x, dimensions), pool, [&](const auto& batch) {
    using T = typename std::decay_t<decltype(batch)>::T;
    const auto links = batch.load_matrices(data<T>(x));
    const auto momenta = batch.load_algebra(data<T>(v));
    const auto step = batch.of_chains(dt.typed_data());
    batch.each_link([&](int mu, int site) {
      const int i = mu * batch.lattice.sites + site;
      batch.store(moved(links[i], step, momenta[i]), data<T>(*end), mu, site);
    });
  });
}

// After so many drifts the rounding of links is removed, before it has grown.
constexpr int kUnitaryStages = 16;

// Stages of a drift and a kick. A chain that has done its steps takes steps of size 0.
Error Trajectory(Pool pool, int64_t dimensions, ffi::Span<const double> kicks,
                 ffi::Span<const double> drifts, ffi::AnyBuffer x, ffi::AnyBuffer v,
                 ffi::AnyBuffer force, Numbers couplings, Numbers step_size,
                 ffi::Buffer<ffi::S32> n_steps, ffi::Result<ffi::AnyBuffer> end_x,
                 ffi::Result<ffi::AnyBuffer> end_v, ffi::Result<ffi::AnyBuffer> end_force) {
  return dispatch(Shape(x, dimensions), pool, [&](const auto& batch) {
    using B = std::decay_t<decltype(batch)>;
    using T = typename B::T;
    const auto& lattice = batch.lattice;
    const auto links = batch.load_matrices(data<T>(x));
    const auto momenta = batch.load_algebra(data<T>(v));
    const auto forces = batch.load_algebra(data<T>(force));
    const GaugeForce<B> gauge(batch, couplings);
    const auto dt = batch.of_chains(step_size.typed_data());
    const int stages = int(drifts.size());
    int64_t last = 0, ends[kLanes<T>];
    for (int l = 0; l < kLanes<T>; l++) {
      ends[l] = int64_t(n_steps.typed_data()[batch.first + lattice.chain(l)]) * stages;
      last = std::max(last, ends[l]);
    }
    // The kick before a stage. The last kick of a step and the first of the next are one.
    auto kick_before = [&](int64_t stage) {
      Lanes<T> kick{};
      for (int l = 0; l < kLanes<T>; l++) {
        const bool last = stage > 0 && stage <= ends[l] && stage % stages == 0;
        if (last) kick[l] -= dt[l] * T(kicks[stages]);
        if (stage < ends[l]) kick[l] -= dt[l] * T(kicks[stage % stages]);
      }
      return kick;
    };
    const auto first_kick = kick_before(0);
    batch.each_link([&](int mu, int site) {
      const int i = mu * lattice.sites + site;
      add_multiple(momenta[i], first_kick, forces[i]);
    });
    for (int64_t stage = 0; stage < last; stage++) {
      Lanes<T> drift{}, newton{};
      for (int l = 0; l < kLanes<T>; l++)
        if (stage < ends[l]) drift[l] = dt[l] * T(drifts[stage % stages]), newton[l] = T(0.5);
      const bool unitary = stage % kUnitaryStages == kUnitaryStages - 1;
      batch.each_link([&](int mu, int site) {
        const int i = mu * lattice.sites + site;
        links[i] = moved(links[i], drift, momenta[i]);
        if (unitary) links[i] = nearer_unitary(links[i], newton);
      });
      const auto kick = kick_before(stage + 1);
      const bool ends_here = stage + 1 == last;
      if (ends_here) std::fill_n(forces.get(), batch.links(), Algebra<B::N, T>{});
      gauge.each_part(links.get(), [&](int mu, int site, const auto& part) {
        const int i = mu * lattice.sites + site;
        add_multiple(momenta[i], kick, part);
        if (ends_here) add_multiple(forces[i], Lanes<T>{} + T(1), part);
      });
    }
    batch.each_link([&](int mu, int site) {
      const int i = mu * lattice.sites + site;
      batch.store(links[i], data<T>(*end_x), mu, site);
      batch.store(momenta[i], data<T>(*end_v), mu, site);
      batch.store(forces[i], data<T>(*end_force), mu, site);
    });
  });
}

using Field = ffi::AnyBuffer;

XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_force, Force,
                              ffi::Ffi::Bind()
                                  .Ctx<Pool>()
                                  .Attr<int64_t>("dimensions")
                                  .Arg<Field>()
                                  .Arg<Numbers>()
                                  .Ret<Field>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_staples, Staples,
                              ffi::Ffi::Bind()
                                  .Ctx<Pool>()
                                  .Attr<int64_t>("dimensions")
                                  .Arg<Field>()
                                  .Arg<Numbers>()
                                  .Ret<Field>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_plaquette_sum, PlaquetteSum,
                              ffi::Ffi::Bind()
                                  .Ctx<Pool>()
                                  .Attr<int64_t>("dimensions")
                                  .Arg<Field>()
                                  .Ret<Numbers>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_rectangle_sum, RectangleSum,
                              ffi::Ffi::Bind()
                                  .Ctx<Pool>()
                                  .Attr<int64_t>("dimensions")
                                  .Arg<Field>()
                                  .Ret<Numbers>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_move, Move,
                              ffi::Ffi::Bind()
                                  .Ctx<Pool>()
                                  .Attr<int64_t>("dimensions")
                                  .Arg<Field>()
                                  .Arg<Field>()
                                  .Arg<Numbers>()
                                  .Ret<Field>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_trajectory, Trajectory,
                              ffi::Ffi::Bind()
                                  .Ctx<Pool>()
                                  .Attr<int64_t>("dimensions")
                                  .Attr<ffi::Span<const double>>("kicks")
                                  .Attr<ffi::Span<const double>>("drifts")
                                  .Arg<Field>()
                                  .Arg<Field>()
                                  .Arg<Field>()
                                  .Arg<Numbers>()
                                  .Arg<Numbers>()
                                  .Arg<ffi::Buffer<ffi::S32>>()
                                  .Ret<Field>()
                                  .Ret<Field>()
                                  .Ret<Field>());

}  // namespace gaugemc
