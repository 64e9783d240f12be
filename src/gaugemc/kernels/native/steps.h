// The steps of trajectories and flows.
#pragma once
#include "batch.h"

namespace gaugemc {

// A step is a kick, a drift, ..., a drift, a kick: a stage for each drift. A chain that has done
// its steps takes steps of size 0.
template <class T>
class Steps {
 public:
  int64_t stages = 0;  // of the chain with the most steps

  template <class B>
  Steps(const B& batch, ffi::Span<const double> kicks, ffi::Span<const double> drifts,
        const ffi::Buffer<ffi::F64>& step_size, const ffi::Buffer<ffi::S32>& n_steps)
      : kicks_(kicks), drifts_(drifts), dt_(batch.of_chains(step_size.typed_data())) {
    for (int l = 0; l < kLanes<T>; l++) {
      number_[l] = n_steps.typed_data()[batch.first + batch.lattice.chain(l)];
      stages = std::max<int64_t>(stages, number_[l] * int64_t(drifts.size()));
    }
  }

  // The chains that still have steps to do.
  Integers<T> goes_on(int64_t stage) const {
    return Integers<T>{} + int(stage / per_step()) < number_;
  }

  // The size of a step, of each chain.
  Lanes<T> size(int64_t step) const { return scaled(1, step); }

  Lanes<T> drift(int64_t stage) const {
    return scaled(drifts_[stage % per_step()], stage / per_step());
  }

  // The kick before a stage. The last kick of a step and the first of the next are one.
  Lanes<T> kick(int64_t stage) const {
    const int64_t step = stage / per_step(), place = stage % per_step();
    Lanes<T> size = scaled(kicks_[place], step);
    if (place == 0 && step > 0) size += scaled(kicks_[per_step()], step - 1);
    return -size;
  }

 private:
  int64_t per_step() const { return int64_t(drifts_.size()); }

  Lanes<T> scaled(double coefficient, int64_t step) const {
    const Integers<T> at = Integers<T>{} + int(step);
    return at < number_ ? dt_ * T(coefficient) : Lanes<T>{};
  }

  ffi::Span<const double> kicks_, drifts_;
  Lanes<T> dt_;
  Integers<T> number_;
};

}  // namespace gaugemc
