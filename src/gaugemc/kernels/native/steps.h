// The kicks and drifts of trajectories.
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
  Steps(const B& batch, const Numbers& kicks, const Numbers& drifts, const Numbers& step_size,
        const ffi::Buffer<ffi::S32>& n_steps)
      : kicks_(lengths(batch, kicks, step_size)), drifts_(lengths(batch, drifts, step_size)) {
    for (int l = 0; l < kLanes<T>; l++) {
      number_[l] = n_steps.typed_data()[batch.first + batch.lattice.chain(l)];
      stages = std::max<int64_t>(stages, number_[l] * int64_t(drifts_.size()));
    }
  }

  // The chains that still have steps to do.
  Integers<T> goes_on(int64_t stage) const {
    return Integers<T>{} + int(stage / per_step()) < number_;
  }

  int per_step() const { return int(drifts_.size()); }

  // The place of a stage in its step.
  int place(int64_t stage) const { return int(stage % per_step()); }

  Lanes<T> drift(int64_t stage) const {
    return during(stage / per_step(), drifts_[place(stage)]);
  }

  // The kick before a stage. The last kick of a step and the first of the next are one.
  Lanes<T> kick(int64_t stage) const {
    const int64_t step = stage / per_step();
    Lanes<T> size = during(step, kicks_[place(stage)]);
    if (place(stage) == 0 && step > 0) size += during(step - 1, kicks_[per_step()]);
    return -size;
  }

 private:
  template <class B>
  static std::vector<Lanes<T>> lengths(const B& batch, const Numbers& coefficients,
                                       const Numbers& step_size) {
    const Lanes<T> dt = batch.of_chains(step_size.typed_data());
    std::vector<Lanes<T>> result(coefficients.dimensions().back());
    for (size_t i = 0; i < result.size(); i++)
      result[i] = dt * batch.of_chains(coefficients.typed_data() + i, int(result.size()));
    return result;
  }

  // The length in the chains that have this step, and 0 in the others.
  Lanes<T> during(int64_t step, Lanes<T> length) const {
    const Integers<T> at = Integers<T>{} + int(step);
    return at < number_ ? length : Lanes<T>{};
  }

  std::vector<Lanes<T>> kicks_, drifts_;
  Integers<T> number_;
};

}  // namespace gaugemc
