// The handler of the reverse pass of trajectories, for SU(2) and SU(3).
#include "force.h"
#include "handlers.h"
#include "pull.h"

namespace gaugemc {

// Of the links, in units of their typical cotangent: the derivative of the force is a central
// difference, with an error of this squared.
template <class T>
constexpr T kDifference = sizeof(T) == 8 ? T(1e-5) : T(5e-3);

// From JAX's gradients by the links, momenta and force at the end those by links, momenta and force
// at the start, and by all numbers. Nothing was stored: the trajectory is run backwards.
Error TrajectoryPull(Pool pool, int64_t dimensions, ffi::AnyBuffer end_x, ffi::AnyBuffer end_v,
                     ffi::AnyBuffer start_force, Numbers couplings, Numbers kicks, Numbers drifts,
                     ffi::AnyBuffer by_end_x, ffi::AnyBuffer by_end_v, ffi::AnyBuffer by_end_force,
                     ffi::Result<ffi::AnyBuffer> by_x, ffi::Result<ffi::AnyBuffer> by_v,
                     ffi::Result<ffi::AnyBuffer> by_force, ffi::Result<Numbers> by_couplings,
                     ffi::Result<Numbers> by_kicks, ffi::Result<Numbers> by_drifts) {
  return dispatch(Shape(end_x, dimensions), pool, [&](const auto& batch) {
    using B = std::decay_t<decltype(batch)>;
    using T = typename B::T;
    constexpr int N = B::N;
    using Element = Algebra<N, T>;
    const auto& lattice = batch.lattice;
    const int n_links = batch.links(), stages = int(drifts.dimensions().back());
    const int loops = int(couplings.dimensions().back());
    const Lanes<T> one = Lanes<T>{} + T(1);
    const GaugeForce<B> gauge(batch, couplings);
    Matrix<N, T> identity{};
    for (int j = 0; j < N; j++) identity.re[j][j] = one;

    const auto links = batch.load_matrices(data<T>(end_x));
    const auto momenta = batch.load_algebra(data<T>(end_v));
    const auto first_force = batch.load_algebra(data<T>(start_force));
    const auto field = [&] { return std::unique_ptr<Element[]>(new Element[n_links]()); };
    // Cotangents of links, momenta and force, and of the force in one kick.
    const auto of_x = field(), of_v = field(), of_force = field(), of_kicked = field();
    const auto force = field(), part_of_force = field();
    const std::unique_ptr<Matrix<N, T>[]> displaced(new Matrix<N, T>[n_links]);
    auto each = [&](const auto& task) {
      batch.each_link([&](int mu, int site) { task(mu * lattice.sites + site); });
    };
    auto add_force = [&](Element* sum, const Matrix<N, T>* at, const Couplings<T>& of_loops,
                         Lanes<T> scale) {
      gauge.each_part(at, of_loops, [&](int mu, int site, const auto& part) {
        add_multiple(sum[mu * lattice.sites + site], scale, part);
      });
    };
    auto store = [&](int sign, const std::vector<double>& of_chains, double* numbers, int stride) {
      for (int c = 0; c < lattice.chains; c++)
        numbers[(batch.first + c) * stride] = sign * of_chains[c];
    };
    {
      const auto by_links = batch.load_matrices(data<T>(by_end_x));
      const auto by_momenta = batch.load_matrices(data<T>(by_end_v));
      const auto by_last = batch.load_matrices(data<T>(by_end_force));
      each([&](int i) {
        of_x[i] = cotangent(links[i], by_links[i]);
        of_v[i] = cotangent(identity, by_momenta[i]);
        of_force[i] = cotangent(identity, by_last[i]);
      });
    }
    for (int stage = stages - 1; stage >= 0; stage--) {
      // v' = v - kick F(x)
      const Lanes<T> kick = batch.of_chains(kicks.typed_data() + stage + 1, stages + 1);
      each([&](int i) {
        of_kicked[i] = stage == stages - 1 ? of_force[i] : Element{};
        add_multiple(of_kicked[i], -kick, of_v[i]);
        force[i] = {};
      });
      const Couplings<T> of_loops(batch, couplings, stage, stages);
      for (int loop = 0; loop < loops; loop++) {
        Couplings<T> unit = of_loops;
        unit.plaquette = loop == 0 ? one : Lanes<T>{}, unit.rectangle = one - unit.plaquette;
        std::fill_n(part_of_force.get(), n_links, Element{});
        add_force(part_of_force.get(), links.get(), unit, one);
        store(1, products(batch, part_of_force.get(), of_kicked.get()),
              by_couplings->typed_data() + stage * loops + loop, stages * loops);
        const Lanes<T> coupling = loop == 0 ? of_loops.plaquette : of_loops.rectangle;
        each([&](int i) { add_multiple(force[i], coupling, part_of_force[i]); });
      }
      store(-1, products(batch, force.get(), of_v.get()), by_kicks->typed_data() + stage + 1,
            stages + 1);

      // With w the cotangent of F: the derivative of F along w, and [F, w], as derivatives along
      // two directions of the group do not commute.
      const auto squares = products(batch, of_kicked.get(), of_kicked.get());
      Lanes<T> distance;
      for (int l = 0; l < kLanes<T>; l++)
        distance[l] = kDifference<T> / T(std::sqrt(std::max(
            squares[lattice.chain(l)] / (double(n_links) * lattice.blocks), 1e-30)));
      for (const Lanes<T> side : {distance, -distance}) {
        each([&](int i) {
          displaced[i] = links[i];
          add_product<As::kItself, As::kItself>(
              displaced[i], matrix_of(multiple(side, of_kicked[i])), links[i]);
        });
        add_force(of_x.get(), displaced.get(), of_loops, T(0.5) / side);
      }
      // x' = exp(drift v) x
      const Lanes<T> drift = batch.of_chains(drifts.typed_data() + stage, stages);
      each([&](int i) {
        add_multiple(of_x[i], one, commutator(force[i], of_kicked[i]));
        add_multiple(momenta[i], kick, force[i]);
      });
      store(1, products(batch, momenta.get(), of_x.get()), by_drifts->typed_data() + stage,
            stages);
      each([&](int i) {
        const auto [link, exponent] = through_exponential(multiple(drift, momenta[i]), of_x[i]);
        of_x[i] = link;
        add_multiple(of_v[i], drift, exponent);
        links[i] = nearer_unitary(moved(links[i], -drift, momenta[i]), Lanes<T>{} + T(0.5));
      });
    }
    store(-1, products(batch, first_force.get(), of_v.get()), by_kicks->typed_data(), stages + 1);
    const Lanes<T> kick = batch.of_chains(kicks.typed_data(), stages + 1);
    batch.each_link([&](int mu, int site) {
      const int i = mu * lattice.sites + site;
      batch.store(gradient(links[i], of_x[i]), data<T>(*by_x), mu, site);
      batch.store(gradient(identity, of_v[i]), data<T>(*by_v), mu, site);
      batch.store(gradient(identity, multiple(-kick, of_v[i])), data<T>(*by_force), mu, site);
    });
  });
}

XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_trajectory_pull, TrajectoryPull,
                              of_links()
                                  .Arg<Field>()
                                  .Arg<Field>()
                                  .Arg<Numbers>()
                                  .Arg<Numbers>()
                                  .Arg<Numbers>()
                                  .Arg<Field>()
                                  .Arg<Field>()
                                  .Arg<Field>()
                                  .Ret<Field>()
                                  .Ret<Field>()
                                  .Ret<Field>()
                                  .Ret<Numbers>()
                                  .Ret<Numbers>()
                                  .Ret<Numbers>());

}  // namespace gaugemc
