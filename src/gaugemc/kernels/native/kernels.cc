// The handlers that XLA calls: for any number of chains, SU(2) and SU(3), float and double.
#include "clover.h"
#include "colours.h"
#include "force.h"
#include "handlers.h"
#include "projection.h"
#include "rectangles.h"
#include "staples.h"
#include "steps.h"
#include "subgroups.h"

namespace gaugemc {

Error Force(Pool pool, int64_t dimensions, ffi::AnyBuffer x, Numbers couplings,
            ffi::Result<ffi::AnyBuffer> force) {
  return dispatch(Shape(x, dimensions), pool, [&](const auto& batch) {
    using B = std::decay_t<decltype(batch)>;
    using T = typename B::T;
    const auto links = batch.load_matrices(data<T>(x));
    const std::unique_ptr<Algebra<B::N, T>[]> forces(new Algebra<B::N, T>[batch.links()]());
    const GaugeForce<B> gauge(batch, couplings);
    const Couplings<T> of_loops(batch, couplings);
    gauge.each_part(links.get(), of_loops, [&](int mu, int site, const auto& part) {
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
    const GaugeStaples<B> gauge(batch, couplings);
    batch.each_link([&](int mu, int site) {
      batch.store(gauge.of_link(links.get(), mu, site), data<T>(*staples), mu, site);
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

// The sums of -tr F F' over all sites, for all pairs of planes; in the order of Python's `planes`.
Error FieldStrengthProducts(Pool pool, int64_t dimensions, ffi::AnyBuffer x,
                            ffi::Result<Numbers> sums) {
  return dispatch(Shape(x, dimensions), pool, [&](const auto& batch) {
    using B = std::decay_t<decltype(batch)>;
    using T = typename B::T;
    const auto& lattice = batch.lattice;
    const auto links = batch.load_matrices(data<T>(x));
    std::vector<std::unique_ptr<Algebra<B::N, T>[]>> planes;
    for (int mu = 0; mu < dimensions; mu++)
      for (int nu = mu + 1; nu < dimensions; nu++)
        planes.push_back(field_strength(batch, links.get(), mu, nu));
    const int n = int(planes.size());
    parallel(batch.pool, n * n, [&](int pair) {
      double of_chain[kLanes<T>]{};
      for (int site = 0; site < lattice.sites; site++) {
        const Lanes<T> half = half_product(planes[pair / n][site], planes[pair % n][site]);
        for (int l = 0; l < lattice.chains * lattice.blocks; l++)
          of_chain[lattice.chain(l)] += 2 * double(half[l]);
      }
      for (int c = 0; c < lattice.chains; c++)
        sums->typed_data()[(batch.first + c) * int64_t(n) * n + pair] = of_chain[c];
    });
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

// After so many drifts the rounding of links is removed, before it has grown.
constexpr int kUnitaryStages = 16;

// Stages of a drift and a kick. `couplings` [drift, loop] are those of the force after each drift.
Error Trajectory(Pool pool, int64_t dimensions, ffi::AnyBuffer x, ffi::AnyBuffer v,
                 ffi::AnyBuffer force, Numbers couplings, Numbers kicks, Numbers drifts,
                 Numbers step_size, ffi::Buffer<ffi::S32> n_steps,
                 ffi::Result<ffi::AnyBuffer> end_x, ffi::Result<ffi::AnyBuffer> end_v,
                 ffi::Result<ffi::AnyBuffer> end_force) {
  return dispatch(Shape(x, dimensions), pool, [&](const auto& batch) {
    using B = std::decay_t<decltype(batch)>;
    using T = typename B::T;
    const auto& lattice = batch.lattice;
    const auto links = batch.load_matrices(data<T>(x));
    const auto momenta = batch.load_algebra(data<T>(v));
    const auto forces = batch.load_algebra(data<T>(force));
    const GaugeForce<B> gauge(batch, couplings);
    const Steps<T> steps(batch, kicks, drifts, step_size, n_steps);
    const auto first_kick = steps.kick(0);
    batch.each_link([&](int mu, int site) {
      const int i = mu * lattice.sites + site;
      add_multiple(momenta[i], first_kick, forces[i]);
    });
    for (int64_t stage = 0; stage < steps.stages; stage++) {
      const auto drift = steps.drift(stage);
      const Lanes<T> newton = steps.goes_on(stage) ? Lanes<T>{} + T(0.5) : Lanes<T>{};
      const bool unitary = stage % kUnitaryStages == kUnitaryStages - 1;
      batch.each_link([&](int mu, int site) {
        const int i = mu * lattice.sites + site;
        links[i] = moved(links[i], drift, momenta[i]);
        if (unitary) links[i] = nearer_unitary(links[i], newton);
      });
      const auto kick = steps.kick(stage + 1);
      const bool ends_here = stage + 1 == steps.stages;
      if (ends_here) std::fill_n(forces.get(), batch.links(), Algebra<B::N, T>{});
      const Couplings<T> of_loops(batch, couplings, steps.place(stage), steps.per_step());
      gauge.each_part(links.get(), of_loops, [&](int mu, int site, const auto& part) {
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

// Steps of the gradient flow: stages z -> a F(x) + b z, x -> exp(-size z) x with these a and b.
Error Flow(Pool pool, int64_t dimensions, ffi::Span<const double> a, ffi::Span<const double> b,
           ffi::AnyBuffer x, Numbers couplings, Numbers size, ffi::Buffer<ffi::S32> n_steps,
           ffi::Result<ffi::AnyBuffer> end) {
  return dispatch(Shape(x, dimensions), pool, [&](const auto& batch) {
    using B = std::decay_t<decltype(batch)>;
    using T = typename B::T;
    const auto& lattice = batch.lattice;
    const auto links = batch.load_matrices(data<T>(x));
    const std::unique_ptr<Algebra<B::N, T>[]> z(new Algebra<B::N, T>[batch.links()]());
    const GaugeForce<B> gauge(batch, couplings);
    const Couplings<T> of_loops(batch, couplings);
    const Lanes<T> sizes = batch.of_chains(size.typed_data());
    const Lanes<T> numbers = batch.of_chains(n_steps.typed_data());
    Lanes<T> step{};  // a chain that has done its steps takes steps of size 0
    for (Integers<T> going = step < numbers; any<T>(going); step += T(1), going = step < numbers)
      for (size_t stage = 0; stage < a.size(); stage++) {
        const Lanes<T> weight = Lanes<T>{} + T(a[stage]);
        gauge.each_part(links.get(), of_loops, [&](int mu, int site, const auto& part) {
          add_multiple(z[mu * lattice.sites + site], weight, part);
        });
        const Lanes<T> back = going ? -sizes : Lanes<T>{};
        const Lanes<T> kept = Lanes<T>{} + T(b[(stage + 1) % a.size()]);
        batch.each_link([&](int mu, int site) {
          const int i = mu * lattice.sites + site;
          links[i] = moved(links[i], back, z[i]);
          z[i] = multiple(kept, z[i]);
        });
      }
    batch.each_link([&](int mu, int site) {
      batch.store(links[mu * lattice.sites + site], data<T>(*end), mu, site);
    });
  });
}

// A heatbath sweep, then sweeps of overrelaxation, then a projection on the group. `colours` says
// how many colours each direction has, `sites` [direction, site] lists the sites of each colour in
// turn. Each colour has a key, from which the subgroups of its links have rows of numbers.
Error LocalUpdates(Pool pool, int64_t dimensions, int64_t overrelaxation,
                   ffi::Span<const int64_t> colours, ffi::AnyBuffer x, Numbers couplings,
                   ffi::Buffer<ffi::U32> keys, ffi::Buffer<ffi::S32> sites,
                   ffi::Result<ffi::AnyBuffer> end) {
  return dispatch(Shape(x, dimensions), pool, [&](const auto& batch) {
    using B = std::decay_t<decltype(batch)>;
    using T = typename B::T;
    const auto& lattice = batch.lattice;
    const auto links = batch.load_matrices(data<T>(x));
    const GaugeStaples<B> staples(batch, couplings);
    const auto order = colours_in_turn(lattice, colours, sites.typed_data());
    for (int64_t sweep = 0; sweep <= overrelaxation; sweep++)
      for (size_t c = 0; c < order.size(); c++) {
        const auto& colour = order[c];
        const auto key = key_of_colour(batch, keys.typed_data() + 2 * c, 2 * order.size());
        batch.each(colour.places.size(), [&](int i) {
          const auto& place = colour.places[i];
          auto& u = links[colour.mu * lattice.sites + place.site];
          const auto around = staples.of_link(links.get(), colour.mu, place.site);
          const auto loops = product<As::kItself, As::kItself>(u, around);
          auto number = [&](int k) {
            return uniforms<T>(key, uint64_t(k) * colour.size, place.ranks);
          };
          const auto next = sweep ? reflected(u, loops) : redrawn(u, loops, number);
          u = selected(place.mask, next, u);
        });
      }
    batch.each_link([&](int mu, int site) {
      batch.store(projected(links[mu * lattice.sites + site]), data<T>(*end), mu, site);
    });
  });
}

XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_force, Force, of_couplings());
XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_staples, Staples, of_couplings());
XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_plaquette_sum, PlaquetteSum, sum_over_links());
XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_rectangle_sum, RectangleSum, sum_over_links());
XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_field_strength_products, FieldStrengthProducts,
                              sum_over_links());
XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_move, Move, of_links().Arg<Field>().Arg<Numbers>().Ret<Field>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_trajectory, Trajectory, steps_of_links());
XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_flow, Flow,
                              ffi::Ffi::Bind()
                                  .Ctx<Pool>()
                                  .Attr<int64_t>("dimensions")
                                  .Attr<ffi::Span<const double>>("a")
                                  .Attr<ffi::Span<const double>>("b")
                                  .Arg<Field>()
                                  .Arg<Numbers>()
                                  .Arg<Numbers>()
                                  .Arg<ffi::Buffer<ffi::S32>>()
                                  .Ret<Field>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_local_updates, LocalUpdates,
                              ffi::Ffi::Bind()
                                  .Ctx<Pool>()
                                  .Attr<int64_t>("dimensions")
                                  .Attr<int64_t>("overrelaxation")
                                  .Attr<ffi::Span<const int64_t>>("colours")
                                  .Arg<Field>()
                                  .Arg<Numbers>()
                                  .Arg<ffi::Buffer<ffi::U32>>()
                                  .Arg<ffi::Buffer<ffi::S32>>()
                                  .Ret<Field>());

}  // namespace gaugemc
