// What the handlers take and give. Links come first among the arguments of every handler.
#pragma once
#include "batch.h"

namespace gaugemc {

using Field = ffi::AnyBuffer;

template <class T>
std::complex<T>* data(const ffi::AnyBuffer& buffer) {
  return static_cast<std::complex<T>*>(buffer.untyped_data());
}

inline auto of_links() {
  return ffi::Ffi::Bind().Ctx<Pool>().Attr<int64_t>("dimensions").Arg<Field>();
}

// A field from links and couplings.
inline auto of_couplings() { return of_links().Arg<Numbers>().Ret<Field>(); }

// A number for each chain.
inline auto sum_over_links() { return of_links().Ret<Numbers>(); }

// Links, momenta and force at the end, from those at the start, couplings, kicks, drifts, sizes and
// numbers of steps.
inline auto steps_of_links() {
  return of_links()
      .Arg<Field>()
      .Arg<Field>()
      .Arg<Numbers>()
      .Arg<Numbers>()
      .Arg<Numbers>()
      .Arg<Numbers>()
      .Arg<ffi::Buffer<ffi::S32>>()
      .Ret<Field>()
      .Ret<Field>()
      .Ret<Field>();
}

}  // namespace gaugemc
