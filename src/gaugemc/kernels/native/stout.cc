// The handlers of the stout flow, for SU(2) and SU(3).
#include "stout.h"

#include "handlers.h"

namespace gaugemc {

// rho of each plane for a layer, from [chain, layer, plane].
template <class B>
std::vector<Lanes<typename B::T>> coefficients(const B& batch, const Numbers& rho, int layer) {
  const int d = batch.lattice.dimensions, planes = d - 1;
  std::vector<Lanes<typename B::T>> of_planes;
  for (int plane = 0; plane < planes; plane++)
    of_planes.push_back(
        batch.of_chains(rho.typed_data() + layer * planes + plane, 2 * d * planes));
  return of_planes;
}

// The links at the end of a sweep, and log det of each chain. Sites are summed in a fixed order.
Error Stout(Pool pool, int64_t dimensions, ffi::AnyBuffer x, Numbers rho,
            ffi::Result<ffi::AnyBuffer> end, ffi::Result<Numbers> log_det) {
  const Shape shape(x, dimensions);
  return dispatch(shape, pool, [&](const auto& batch) {
    using B = std::decay_t<decltype(batch)>;
    using T = typename B::T;
    const auto& lattice = batch.lattice;
    const auto links = batch.load_matrices(data<T>(x));
    std::vector<double> sums(lattice.sites * kLanes<T>);
    for (const auto& layer : layers_of(lattice, shape.extents)) {
      const auto weights = coefficients(batch, rho, layer.number);
      batch.each(layer.places.size(), [&](int i) {
        const auto [site, mask] = layer.places[i];
        auto& u = links[layer.mu * lattice.sites + site];
        Matrix<B::N, T> staples{};
        each_staple(lattice, links.get(), layer.mu, site, weights.data(),
                    [&](const auto& s) { add_multiple(staples, s.rho, s.whole); });
        const Jacobian<B::N, T> jacobian(product<As::kItself, As::kItself>(u, staples));
        const auto rotation = exponential(jacobian.exponent());
        u = selected(mask, projected(product<As::kItself, As::kItself>(rotation, u)), u);
        const Lanes<T> logs = mask ? jacobian.log_det() : Lanes<T>{};
        for (int l = 0; l < kLanes<T>; l++) sums[site * kLanes<T> + l] += logs[l];
      });
    }
    for (int l = 0; l < lattice.chains * lattice.blocks; l++) {
      double& total = log_det->typed_data()[batch.first + lattice.chain(l)];
      if (l % lattice.blocks == 0) total = 0;
      for (int site = 0; site < lattice.sites; site++) total += sums[site * kLanes<T> + l];
    }
    batch.each_link([&](int mu, int site) {
      batch.store(links[mu * lattice.sites + site], data<T>(*end), mu, site);
    });
  });
}

// How many ranges of a layer's links add to forces of their own, so that threads do not meet. The
// number follows from the lattice alone, and with it the order of sums. Where lanes of one site are
// of both parities there is one range.
template <class L>
int ranges_of(const L& layers, int sites) {
  constexpr int kMost = 4, kRangeSites = 128;
  size_t places = 0;
  for (const auto& layer : layers) places += layer.places.size();
  return places > layers.size() * sites / 2 ? 1 : std::max(1, std::min(kMost, sites / kRangeSites));
}

// The force of S - log det at the start of a sweep, from the links at both ends and the force of S
// at the end.
Error StoutPull(Pool pool, int64_t dimensions, ffi::AnyBuffer start, ffi::AnyBuffer end,
                ffi::AnyBuffer end_force, Numbers rho, ffi::Result<ffi::AnyBuffer> force) {
  const Shape shape(start, dimensions);
  return dispatch(shape, pool, [&](const auto& batch) {
    using B = std::decay_t<decltype(batch)>;
    using T = typename B::T;
    constexpr int N = B::N;
    const auto& lattice = batch.lattice;
    const auto before = batch.load_matrices(data<T>(start));
    const auto links = batch.load_matrices(data<T>(end));
    const auto layers = layers_of(lattice, shape.extents);
    const int ranges = ranges_of(layers, lattice.sites);
    std::vector<std::unique_ptr<Algebra<N, T>[]>> forces;
    forces.push_back(batch.load_algebra(data<T>(end_force)));
    while (int(forces.size()) < ranges) forces.emplace_back(new Algebra<N, T>[batch.links()]());
    // The sum of a link's forces, which leaves 0 in all ranges.
    auto taken = [&](int i) {
      Algebra<N, T> sum{};
      for (const auto& part : forces) {
        add_multiple(sum, Lanes<T>{} + T(1), part[i]);
        part[i] = {};
      }
      return sum;
    };
    for (auto layer = layers.rbegin(); layer != layers.rend(); layer++) {
      const int mu = layer->mu;
      const auto weights = coefficients(batch, rho, layer->number);
      auto undo = [&](const Moving<T>& place, Algebra<N, T>* part) {
        const int i = mu * lattice.sites + place.site;
        const Matrix<N, T> moved = links[i], u = selected(place.mask, before[i], moved);
        thread_local std::vector<Staple<N, T>> staples;
        staples.clear();
        Matrix<N, T> sum{};
        each_staple(lattice, links.get(), mu, place.site, weights.data(), [&](const auto& s) {
          staples.push_back(s);
          add_multiple(sum, s.rho, s.whole);
        });
        const auto loops = product<As::kItself, As::kItself>(u, sum);
        const auto rotation = product<As::kItself, As::kDagger>(moved, u);
        const Algebra<N, T> old = taken(i);
        auto own = transported(rotation, old);
        auto c = Jacobian<N, T>(loops).pulled(own);
        add_multiple(own, Lanes<T>{} + T(1),
                     force_of(product<As::kItself, As::kItself>(loops, c)));
        const Lanes<T> weight = place.mask ? Lanes<T>{} + T(1) : Lanes<T>{};
        add_multiple(part[i], weight, own);
        add_multiple(part[i], T(1) - weight, old);
        c = product<As::kItself, As::kItself>(c, u);
        for (const auto& s : staples) {
          Matrix<N, T> weighted{};
          add_multiple(weighted, s.rho * weight, c);
          spread(lattice, links.get(), mu, s, weighted, part);
        }
        links[i] = u;
      };
      const int size = layer->places.size();
      parallel(batch.pool, ranges, [&](int range) {
        for (int p = size * range / ranges; p < size * (range + 1) / ranges; p++)
          undo(layer->places[p], forces[range].get());
      });
    }
    batch.each_link([&](int mu, int site) {
      batch.store(taken(mu * lattice.sites + site), data<T>(*force), mu, site);
    });
  });
}

XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_stout, Stout,
                              of_links().Arg<Numbers>().Ret<Field>().Ret<Numbers>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(
    gaugemc_stout_pull, StoutPull,
    of_links().Arg<Field>().Arg<Field>().Arg<Numbers>().Ret<Field>());

}  // namespace gaugemc
