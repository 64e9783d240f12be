// The links that are updated at once.
#pragma once
#include "batch.h"
#include "random.h"

namespace gaugemc {

// A site of all lanes, which of the lanes have a colour, and their ranks among its sites.
template <class T>
struct Coloured {
  int site;
  Integers<T> mask;
  Words<T> ranks;
};

// The links of direction mu of a colour, of which there are `size` in a whole lattice.
template <class T>
struct Colour {
  int mu, size;
  std::vector<Coloured<T>> places;
};

// All colours of all directions. `sites` [direction, site] lists those of each colour in turn;
// `numbers` says how many colours a direction has.
template <int N, class T, class Counts>
std::vector<Colour<T>> colours_in_turn(const Lattice<N, T>& lattice, const Counts& numbers,
                                       const int32_t* sites) {
  std::vector<Colour<T>> colours;
  const int volume = lattice.sites * lattice.blocks;
  std::vector<int> position(volume);
  for (int mu = 0; mu < lattice.dimensions; mu++) {
    const int size = volume / int(numbers[mu]);
    for (int p = 0; p < volume; p++) position[sites[mu * int64_t(volume) + p]] = p;
    for (int colour = 0; colour < numbers[mu]; colour++) {
      colours.push_back({mu, size, {}});
      for (int site = 0; site < lattice.sites; site++) {
        Coloured<T> place{site, {}, {}};
        for (int l = 0; l < kLanes<T>; l++) {
          const int p = position[lattice.number(l, site)];
          place.mask[l] = -(p / size == colour);
          place.ranks[l] = p % size;
        }
        if (any<T>(place.mask)) colours.back().places.push_back(place);
      }
    }
  }
  return colours;
}

// The key for each lane, from one for each chain of the call, `stride` words apart.
template <class B>
Key<typename B::T> key_of_colour(const B& batch, const uint32_t* keys, int64_t stride) {
  Key<typename B::T> key;
  for (int l = 0; l < kLanes<typename B::T>; l++)
    for (int i = 0; i < 2; i++)
      key.words[i][l] = keys[(batch.first + batch.lattice.chain(l)) * stride + i];
  return key;
}

}  // namespace gaugemc
