// Loops that run on XLA's threads.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "xla/ffi/api/ffi.h"

namespace gaugemc {

// Calls task(0), ..., task(n - 1). The caller works too, and waits only for tasks that have begun:
// a thread that XLA has no time for is not missed. Without a pool the caller does everything.
inline void parallel(xla::ffi::ThreadPool* pool, int n, const std::function<void(int)>& task) {
  struct Shared {
    std::atomic<int> next{0}, done{0};
  };
  auto shared = std::make_shared<Shared>();
  auto work = [shared, n, &task] {
    for (int i; (i = shared->next++) < n; shared->done++) task(i);
  };
  const int helpers = pool ? std::min<int64_t>(pool->num_threads(), n) - 1 : 0;
  for (int i = 0; i < helpers; i++) pool->Schedule(decltype(work)(work));
  work();
  while (shared->done < n) std::this_thread::yield();
}

}  // namespace gaugemc
