// From matrices near SU(N) into the group: Gram and Schmidt's columns, then the determinant 1.
#pragma once
#include "matrix.h"

namespace gaugemc {

// Column k without its parts along those before, and of norm 1.
template <int N, class T>
inline void make_orthonormal(Matrix<N, T>& u, int k) {
  for (int j = 0; j < k; j++) {
    Lanes<T> re{}, im{};
    for (int i = 0; i < N; i++) {
      re += u.re[i][j] * u.re[i][k] + u.im[i][j] * u.im[i][k];
      im += u.re[i][j] * u.im[i][k] - u.im[i][j] * u.re[i][k];
    }
    for (int i = 0; i < N; i++) {
      u.re[i][k] -= u.re[i][j] * re - u.im[i][j] * im;
      u.im[i][k] -= u.re[i][j] * im + u.im[i][j] * re;
    }
  }
  Lanes<T> square{};
  for (int i = 0; i < N; i++) square += u.re[i][k] * u.re[i][k] + u.im[i][k] * u.im[i][k];
  const Lanes<T> scale = T(1) / square_root<T>(square);
  for (int i = 0; i < N; i++) u.re[i][k] *= scale, u.im[i][k] *= scale;
}

// The last column follows from the others.
template <class T>
inline Matrix<2, T> projected(Matrix<2, T> u) {
  make_orthonormal(u, 0);
  u.re[0][1] = -u.re[1][0], u.im[0][1] = u.im[1][0];
  u.re[1][1] = u.re[0][0], u.im[1][1] = -u.im[0][0];
  return u;
}

template <class T>
inline Matrix<3, T> projected(Matrix<3, T> u) {
  make_orthonormal(u, 0);
  make_orthonormal(u, 1);
  for (int i = 0; i < 3; i++) {
    const int j = (i + 1) % 3, k = (i + 2) % 3;
    u.re[i][2] = u.re[j][0] * u.re[k][1] - u.im[j][0] * u.im[k][1] -
                 u.re[k][0] * u.re[j][1] + u.im[k][0] * u.im[j][1];
    u.im[i][2] = u.im[k][0] * u.re[j][1] + u.re[k][0] * u.im[j][1] -
                 u.im[j][0] * u.re[k][1] - u.re[j][0] * u.im[k][1];
  }
  return u;
}

}  // namespace gaugemc
