// The handlers that XLA calls: for any number of chains, SU(2) and SU(3), float and double.
#include "steps.h"
#include "wilson.h"

namespace gaugemc {

template <class T>
std::complex<T>* data(const ffi::AnyBuffer& buffer) {
  return static_cast<std::complex<T>*>(buffer.untyped_data());
}

template <class B>
Algebra<B::N, typename B::T> force_on_link(const B& batch, const Matrix<B::N, typename B::T>* links,
                                           Lanes<typename B::T> beta, int mu, int site) {
  const auto staples = staples_of_link(batch.lattice, links, mu, site);
  const auto& link = links[mu * batch.lattice.sites + site];
  const auto loops = product<As::kItself, As::kItself>(link, staples);
  return anti_hermitian_traceless(loops, beta * typename B::T(0.5 / B::N));
}

Error Force(Pool pool, int64_t dimensions, ffi::AnyBuffer x, ffi::Buffer<ffi::F64> beta,
            ffi::Result<ffi::AnyBuffer> force) {
  return dispatch(Shape(x, dimensions), pool, [&](const auto& batch) {
    using T = typename std::decay_t<decltype(batch)>::T;
    const auto links = batch.load_matrices(data<T>(x));
    const auto weight = batch.of_chains(beta.typed_data());
    batch.each_link([&](int mu, int site) {
      batch.store(force_on_link(batch, links.get(), weight, mu, site), data<T>(*force), mu, site);
    });
  });
}

// The sum of Re tr P / N over all plaquettes of each chain. Chunks are summed in a fixed order.
Error PlaquetteSum(Pool pool, int64_t dimensions, ffi::AnyBuffer x,
                   ffi::Result<ffi::Buffer<ffi::F64>> sum) {
  return dispatch(Shape(x, dimensions), pool, [&](const auto& batch) {
    using B = std::decay_t<decltype(batch)>;
    using T = typename B::T;
    const auto links = batch.load_matrices(data<T>(x));
    const auto& lattice = batch.lattice;
    std::vector<double> sums(lattice.sites * kLanes<T>);
    parallel(batch.pool, lattice.sites, [&](int site) {
      const Lanes<T> traces = plaquette_traces(lattice, links.get(), site);
      for (int l = 0; l < kLanes<T>; l++) sums[site * kLanes<T> + l] = traces[l];
    });
    for (int l = 0; l < lattice.chains * lattice.blocks; l++) {
      double& total = sum->typed_data()[batch.first + lattice.chain(l)];
      if (l % lattice.blocks == 0) total = 0;
      for (int site = 0; site < lattice.sites; site++) total += sums[site * kLanes<T> + l] / B::N;
    }
  });
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

// Stages of a drift and a kick.
Error Trajectory(Pool pool, int64_t dimensions, ffi::Span<const double> kicks,
                 ffi::Span<const double> drifts, ffi::AnyBuffer x, ffi::AnyBuffer v,
                 ffi::AnyBuffer force, ffi::Buffer<ffi::F64> beta,
                 ffi::Buffer<ffi::F64> step_size, ffi::Buffer<ffi::S32> n_steps,
                 ffi::Result<ffi::AnyBuffer> end_x, ffi::Result<ffi::AnyBuffer> end_v,
                 ffi::Result<ffi::AnyBuffer> end_force) {
  return dispatch(Shape(x, dimensions), pool, [&](const auto& batch) {
    using B = std::decay_t<decltype(batch)>;
    using T = typename B::T;
    const auto& lattice = batch.lattice;
    const auto links = batch.load_matrices(data<T>(x));
    const auto momenta = batch.load_algebra(data<T>(v));
    const auto forces = batch.load_algebra(data<T>(force));
    const auto weight = batch.of_chains(beta.typed_data());
    const Steps<T> steps(batch, kicks, drifts, step_size, n_steps);
    const auto first_kick = steps.kick(0);
    batch.each_link([&](int mu, int site) {
      const int i = mu * lattice.sites + site;
      add_multiple(momenta[i], first_kick, forces[i]);
    });
    for (int64_t stage = 0; stage < steps.stages; stage++) {
      const auto drift = steps.drift(stage);
      batch.each_link([&](int mu, int site) {
        const int i = mu * lattice.sites + site;
        links[i] = moved(links[i], drift, momenta[i]);
      });
      const auto kick = steps.kick(stage + 1);
      batch.each_link([&](int mu, int site) {
        const int i = mu * lattice.sites + site;
        const auto f = force_on_link(batch, links.get(), weight, mu, site);
        add_multiple(momenta[i], kick, f);
        if (stage + 1 == steps.stages) forces[i] = f;
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
using Numbers = ffi::Buffer<ffi::F64>;

XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_force, Force,
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
