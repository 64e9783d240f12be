// Which site of which chain is in which lane, and how lanes find their neighbours.
//
// A lattice is cut into blocks of equal shape. A lane holds one block of one chain, so that a
// vector holds sites at the same place of their blocks. A neighbour is then in the same lane, or,
// across the face of a block, in the lane of the next block. Any extents will do. Where no
// divisors of the extents fill the lanes, several chains do, or lanes stay idle.
#pragma once
#include <algorithm>
#include <complex>
#include <cstdint>
#include <utility>
#include <vector>

#include "algebra.h"

namespace gaugemc {

// A site of all lanes: where in its block, and by how many blocks lanes are displaced.
struct Place {
  int32_t site, displacement;
};

using Cost = std::pair<double, int>;

// How many blocks along each direction: as many as fit into `lanes`, at the least cost.
template <class CostOf>
std::vector<int> blocks_of(const std::vector<int>& extents, int lanes, const CostOf& cost_of) {
  std::vector<int> best, cut(extents.size());
  int most = 0;
  Cost least;
  auto search = [&](auto& self, size_t mu, int number) -> void {
    if (mu == extents.size()) {
      const Cost cost = cost_of(extents, cut);
      if (number > most || (number == most && cost < least))
        most = number, least = cost, best = cut;
      return;
    }
    for (int n = 1; n * number <= lanes; n++)
      if (extents[mu] % n == 0) {
        cut[mu] = n;
        self(self, mu + 1, n * number);
      }
  };
  search(search, 0, 1);
  return best;
}

// The faces of blocks, across which matrices are permuted; then the most blocks along a direction.
// Blocks of even extents have lanes of one colour (colours.h).
inline Cost faces(const std::vector<int>& extents, const std::vector<int>& cut) {
  double sum = 0;
  for (size_t mu = 0; mu < cut.size(); mu++)
    if (cut[mu] > 1) sum += double(cut[mu]) / extents[mu];
  return {sum, *std::max_element(cut.begin(), cut.end())};
}

// How many lanes hold sites that follow each other in an array.
inline int run_of(const std::vector<int>& extents, const std::vector<int>& cut) {
  int run = 1;
  for (size_t mu = cut.size(); mu-- > 0 && cut[mu] == extents[mu];) run *= cut[mu];
  return run;
}

inline Cost short_runs(const std::vector<int>& extents, const std::vector<int>& cut) {
  return {1.0 / run_of(extents, cut), 0};
}

template <int N, class T>
class Lattice {
 public:
  static constexpr int kWidth = kLanes<T>;
  int dimensions, sites, chains, blocks, run;

  // `chains` chains at once, each cut into `cut` blocks.
  Lattice(const std::vector<int>& extents, const std::vector<int>& cut, int chains)
      : dimensions(extents.size()),
        sites(1),
        chains(chains),
        blocks(1),
        run(run_of(extents, cut)),
        volume_(1) {
    for (int mu = 0; mu < dimensions; mu++) {
      sites *= extents[mu] / cut[mu];
      blocks *= cut[mu];
      volume_ *= extents[mu];
    }
    next_.resize(2 * dimensions * sites);
    offsets_.resize(sites);
    displaced_.resize(2 * dimensions * blocks);
    permutations_.resize(blocks);
    inverses_.resize(blocks);
    std::vector<int64_t> origins(blocks);
    std::vector<int> coordinates(blocks * dimensions);
    int inner_sites = sites, inner_blocks = blocks;
    int64_t stride = volume_;
    for (int mu = 0; mu < dimensions; mu++) {
      const int extent = extents[mu] / cut[mu];
      stride /= extents[mu], inner_sites /= extent, inner_blocks /= cut[mu];
      block_.push_back({extent, inner_sites});
      for (int b = 0; b < blocks; b++) {
        const int c = b / inner_blocks % cut[mu];
        coordinates[b * dimensions + mu] = c;
        origins[b] += int64_t(c) * extent * stride;
        auto to = [&](int there) { return b + (there - c) * inner_blocks; };
        displaced_[mu * blocks + b] = to((c + 1) % cut[mu]);
        displaced_[(dimensions + mu) * blocks + b] = to((c + cut[mu] - 1) % cut[mu]);
      }
      const int forwards = displaced_[mu * blocks];
      const int backwards = displaced_[(dimensions + mu) * blocks];
      for (int s = 0; s < sites; s++) {
        const int c = s / inner_sites % extent;
        offsets_[s] += c * stride;
        auto to = [&](int there) { return s + (there - c) * inner_sites; };
        next_[mu * sites + s] = {to((c + 1) % extent), c + 1 == extent ? forwards : 0};
        next_[(dimensions + mu) * sites + s] = {to((c + extent - 1) % extent),
                                                c == 0 ? backwards : 0};
      }
    }
    for (int d = 0; d < blocks; d++)
      for (int l = 0; l < kWidth; l++) {
        const int lane = l % (chains * blocks), block = lane % blocks;
        int to = 0;  // block + d, direction by direction
        for (int mu = 0; mu < dimensions; mu++) {
          const int c = coordinates[block * dimensions + mu] + coordinates[d * dimensions + mu];
          to = to * cut[mu] + (c < cut[mu] ? c : c - cut[mu]);
        }
        permutations_[d][l] = lane - block + to;
        if (l == lane) inverses_[d][lane - block + to] = lane;
      }
    for (auto& inverse : inverses_)
      for (int l = chains * blocks; l < kWidth; l++) inverse[l] = inverse[l % (chains * blocks)];
    for (int l = 0; l < kWidth; l++) {
      const int lane = l % (chains * blocks);
      lanes_.push_back({lane / blocks, origins[lane % blocks]});
    }
  }

  // Where a site is in its block.
  int coordinate(int site, int mu) const { return site / block_[mu].inner % block_[mu].extent; }

  // The neighbour along `hop`: a direction mu, or dimensions + mu for backwards.
  Place neighbour(Place place, int hop) const {
    const Place to = next_[hop * sites + place.site];
    if (place.displacement && to.displacement)
      return {to.site, displaced_[hop * blocks + place.displacement]};
    return {to.site, to.displacement + place.displacement};
  }

  // The matrix at a place, in `spare` where lanes must be permuted.
  const Matrix<N, T>& at(const Matrix<N, T>* field, Place place, Matrix<N, T>& spare) const {
    const Matrix<N, T>& there = field[place.site];
    if (place.displacement == 0) return there;
    const Permutation<T> from = permutations_[place.displacement];
    for (int i = 0; i < N; i++)
      for (int j = 0; j < N; j++) {
        spare.re[i][j] = permuted<T>(there.re[i][j], from);
        spare.im[i][j] = permuted<T>(there.im[i][j], from);
      }
    return spare;
  }

  // Adds scale a to what is at a place.
  void add_at(Algebra<N, T>* field, Place place, T scale, const Algebra<N, T>& a) const {
    Algebra<N, T>& there = field[place.site];
    if (place.displacement == 0) return add_multiple(there, Lanes<T>{} + scale, a);
    const Permutation<T> to = inverses_[place.displacement];
    for (int j = 0; j < N; j++) there.diagonal[j] += scale * permuted<T>(a.diagonal[j], to);
    for (int p = 0; p < Algebra<N, T>::kPairs; p++) {
      there.re[p] += scale * permuted<T>(a.re[p], to);
      there.im[p] += scale * permuted<T>(a.im[p], to);
    }
  }

  // The number at a place.
  Lanes<T> at(const Lanes<T>* field, Place place) const {
    return permuted<T>(field[place.site], permutations_[place.displacement]);
  }

  // The chain of a lane, counted from the first of these chains.
  int chain(int lane) const { return lanes_[lane].chain; }

  // The number of a lane's site in the whole lattice.
  int64_t number(int lane, int site) const { return lanes_[lane].origin + offsets_[site]; }

  // Of each site, in an array of the whole lattice, from the first site of the lane.
  const int64_t* offsets() const { return offsets_.data(); }

  // The matrices of direction mu at a site, in an array [chain, mu, site, N, N].
  template <class Number>
  Number* in_array(Number* array, int lane, int mu, int site) const {
    const int64_t links = (lanes_[lane].chain * int64_t(dimensions) + mu) * volume_;
    return array + (links + number(lane, site)) * N * N;
  }

 private:
  struct Lane {
    int chain;
    int64_t origin;
  };
  struct Axis {
    int extent, inner;  // sites along the axis, and from one to the next
  };
  int64_t volume_;
  std::vector<Axis> block_;
  std::vector<Place> next_;
  std::vector<int32_t> displaced_;
  std::vector<int64_t> offsets_;
  std::vector<Lane> lanes_;
  std::vector<Permutation<T>> permutations_, inverses_;
};

}  // namespace gaugemc
