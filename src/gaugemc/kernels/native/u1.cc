// The handlers of U(1), for any number of chains, float and double.
#include "angles.h"
#include "handlers.h"
#include "steps.h"

namespace gaugemc {

template <class Task>
Error dispatch_angles(const Shape& shape, Pool pool, const Task& task) {
  if (shape.type == ffi::F64)
    each_batch<1, double>(shape, pool, task);
  else if (shape.type == ffi::F32)
    each_batch<1, float>(shape, pool, task);
  else
    return Error::InvalidArgument("links: must be real");
  return Error::Success();
}

template <class T>
T* numbers(const ffi::AnyBuffer& buffer) {
  return static_cast<T*>(buffer.untyped_data());
}

Error AngleForce(Pool pool, int64_t dimensions, ffi::AnyBuffer x, Numbers couplings,
                 ffi::Result<ffi::AnyBuffer> force) {
  return dispatch_angles(Shape(x, dimensions), pool, [&](const auto& batch) {
    using T = typename std::decay_t<decltype(batch)>::T;
    const auto& lattice = batch.lattice;
    auto field = batch.load(numbers<T>(x));
    PlaquetteForces<T> plaquettes(batch, couplings);
    plaquettes.find(field.data());
    batch.each_range([&](int begin, int end) {
      for (int mu = 0; mu < lattice.dimensions; mu++)
        for (int site = begin; site < end; site++)
          field[mu * lattice.sites + site] = plaquettes.on_link(mu, site);
    });
    batch.store(field, numbers<T>(*force));
  });
}

Error AngleTrajectory(Pool pool, int64_t dimensions, ffi::AnyBuffer x, ffi::AnyBuffer v,
                      ffi::AnyBuffer force, Numbers couplings, Numbers kicks, Numbers drifts,
                      Numbers step_size, ffi::Buffer<ffi::S32> n_steps,
                      ffi::Result<ffi::AnyBuffer> end_x, ffi::Result<ffi::AnyBuffer> end_v,
                      ffi::Result<ffi::AnyBuffer> end_force) {
  return dispatch_angles(Shape(x, dimensions), pool, [&](const auto& batch) {
    using T = typename std::decay_t<decltype(batch)>::T;
    const auto& lattice = batch.lattice;
    auto links = batch.load(numbers<T>(x)), momenta = batch.load(numbers<T>(v));
    auto forces = batch.load(numbers<T>(force));
    PlaquetteForces<T> plaquettes(batch, couplings);
    const Steps<T> steps(batch, kicks, drifts, step_size, n_steps);
    // After the drift of a stage.
    auto find_forces = [&](int64_t stage) {
      plaquettes.find(links.data(), steps.place(stage), steps.per_step());
    };
    // The kick and the drift of a stage, with the force that `force_at` finds.
    auto advance = [&](int64_t stage, const auto& force_at) {
      const auto kick = steps.kick(stage);
      const auto drift = stage < steps.stages ? steps.drift(stage) : Lanes<T>{};
      batch.each_range([&](int begin, int end) {
        for (int mu = 0; mu < lattice.dimensions; mu++)
          for (int site = begin; site < end; site++) {
            const int i = mu * lattice.sites + site;
            momenta[i] += kick * force_at(mu, site);
            links[i] += drift * momenta[i];
          }
      });
    };
    advance(0, [&](int mu, int site) { return forces[mu * lattice.sites + site]; });
    for (int64_t stage = 1; stage < steps.stages; stage++) {
      find_forces(stage - 1);
      advance(stage, [&](int mu, int site) { return plaquettes.on_link(mu, site); });
    }
    find_forces(steps.stages - 1);
    advance(steps.stages, [&](int mu, int site) {
      return forces[mu * lattice.sites + site] = plaquettes.on_link(mu, site);
    });
    batch.store(links, numbers<T>(*end_x));
    batch.store(momenta, numbers<T>(*end_v));
    batch.store(forces, numbers<T>(*end_force));
  });
}

XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_u1_force, AngleForce, of_couplings());
XLA_FFI_DEFINE_HANDLER_SYMBOL(gaugemc_u1_trajectory, AngleTrajectory, steps_of_links());

}  // namespace gaugemc
