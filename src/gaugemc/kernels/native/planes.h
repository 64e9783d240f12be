// Forces of plaquettes and rectangles, plane by plane.
//
// The sides of a link in a plane are the two ways from its start to its end by three other links.
// A rectangle is a plaquette, of whose side one link takes a side of its own. So the rectangles
// through a link are the derivative of its sides S(u) along du = S(u). (A detour may also come back
// on the link that it has left. That gives the link itself, which has no force.) With corners, which
// sides share, a site of a plane takes 20 products of matrices. Each rectangle by itself would take
// 52. The fields of one slice of the lattice stay in the processor's cache.
#pragma once
#include <vector>

#include "batch.h"

namespace gaugemc {

// Slices of a lattice along two directions.
struct Plane {
  int directions[2];
  std::vector<int> slices;        // their first sites
  std::vector<int> offsets;       // from the first site of a slice to each
  std::vector<Place> neighbours;  // in the slice, by hop: along 0, along 1, and backwards

  template <int N, class T>
  Plane(const Lattice<N, T>& lattice, int mu, int nu) : directions{mu, nu} {
    std::vector<int> number(lattice.sites);
    for (int site = 0; site < lattice.sites; site++) {
      bool starts = true, first = true;
      for (int direction = 0; direction < lattice.dimensions; direction++) {
        const bool across = direction != mu && direction != nu;
        (across ? first : starts) &= lattice.coordinate(site, direction) == 0;
      }
      if (starts) slices.push_back(site);
      if (first) number[site] = size(), offsets.push_back(site);
    }
    for (int hop : {mu, nu, lattice.dimensions + mu, lattice.dimensions + nu})
      for (int site : offsets) {
        const Place to = lattice.neighbour({site, 0}, hop);
        neighbours.push_back({number[to.site], to.displacement});
      }
  }

  int size() const { return int(offsets.size()); }
};

template <class L>
std::vector<Plane> planes_of(const L& lattice) {
  std::vector<Plane> planes;
  for (int mu = 0; mu < lattice.dimensions; mu++)
    for (int nu = mu + 1; nu < lattice.dimensions; nu++) planes.emplace_back(lattice, mu, nu);
  return planes;
}

// The matrices of a slice for each of its two directions: of links, or of ways beside them.
template <int N, class T>
struct SliceField {
  std::vector<Matrix<N, T>> along[2];

  template <class Value>  // value(k, i) for direction k at site i
  void fill(int size, const Value& value) {
    for (int k : {0, 1}) {
      along[k].resize(size);
      for (int i = 0; i < size; i++) along[k][i] = value(k, i);
    }
  }
};

// add(mu, site, loops) for each link and plane, where `loops` are those of the link in the plane
// with their couplings: plaquettes and rectangles.
template <class B, class Add>
void each_plane(const B& batch, const std::vector<Plane>& planes,
                const Matrix<B::N, typename B::T>* links, Lanes<typename B::T> plaquette,
                Lanes<typename B::T> rectangle, const Add& add) {
  using M = Matrix<B::N, typename B::T>;
  using Field = SliceField<B::N, typename B::T>;
  for (const Plane& plane : planes) {
    auto at = [&](const Field& field, int k, int i, int hop, M& spare) -> const M& {
      const Place there = plane.neighbours[hop * plane.size() + i];
      return batch.lattice.at(field.along[k].data(), there, spare);
    };
    // A link of x across k, then one of y along k.
    auto add_corner = [&](M& sum, const Field& x, const Field& y, int k, int i) {
      M spare;
      add_product<As::kItself, As::kItself>(sum, x.along[1 - k][i], at(y, k, i, 1 - k, spare));
    };
    // Both ways beside link k: a corner, and a link across k.
    auto add_sides = [&](M& sum, const Field& corners, const Field& across, int k, int i) {
      M spare_a, spare_b;
      const int o = 1 - k;
      add_product<As::kItself, As::kDagger>(sum, corners.along[k][i], at(across, o, i, k, spare_a));
      add_product<As::kDagger, As::kItself>(sum, at(across, o, i, 2 + o, spare_a),
                                            at(corners, o, i, 2 + o, spare_b));
    };
    parallel(batch.pool, int(plane.slices.size()), [&](int slice) {
      thread_local Field u, corners, sides, bent;
      auto index = [&](int k, int i) {
        return plane.directions[k] * batch.lattice.sites + plane.slices[slice] + plane.offsets[i];
      };
      u.fill(plane.size(), [&](int k, int i) { return links[index(k, i)]; });
      corners.fill(plane.size(), [&](int k, int i) {
        M sum{};
        add_corner(sum, u, u, k, i);
        return sum;
      });
      sides.fill(plane.size(), [&](int k, int i) {
        M sum{};
        add_sides(sum, corners, u, k, i);
        return sum;
      });
      bent.fill(plane.size(), [&](int k, int i) {
        M sum{};
        add_corner(sum, u, sides, k, i);
        add_corner(sum, sides, u, k, i);
        return sum;
      });
      for (int k : {0, 1})
        for (int i = 0; i < plane.size(); i++) {
          M sum{}, ways{};
          add_sides(sum, bent, u, k, i);
          add_sides(sum, corners, sides, k, i);
          add_multiple(ways, rectangle, sum);
          add_multiple(ways, plaquette, sides.along[k][i]);
          add(plane.directions[k], plane.slices[slice] + plane.offsets[i],
              product<As::kItself, As::kDagger>(u.along[k][i], ways));
        }
    });
  }
}

}  // namespace gaugemc
