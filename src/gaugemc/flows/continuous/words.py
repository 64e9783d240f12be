"""Words of plaquettes, and the Laplacian of products of their traces: links split and join words.

A word is a loop, a product of letters: two plaquettes a and b with a common link U, both
anticlockwise, with the base at the end of U where a = U A and b = B U^-1. A `Term` is a product of
traces of words, each over N. Its real part is meant: a term and its complex conjugate are one.

By sum_a (T_a)_ij (T_a)_kl = -(d_il d_jk - d_ij d_kl / N) / 2, second derivatives along a link are
terms too: the two places where the link stands split their word, or join two (0907.5491).
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

Word = tuple[int, ...]
"""Letters: 0 is a, 2 is b, and 1 and 3 are their inverses."""
Term = tuple[Word, ...]

_ALONE = ((4, {0: 1, 1: -1}),)
_PAIR = ((3, {0: 1, 1: -1}), (3, {2: 1, 3: -1}), (1, {0: 1, 1: -1, 2: -1, 3: 1}))
"""Numbers of links; the letters that hold such a link, forwards (1) or backwards (-1)."""


def loop(letters: Iterable[int]) -> Word:
    """The word of a loop: no letter beside its inverse, and of all rotations the least."""
    word: list[int] = []
    for letter in letters:
        if word and word[-1] == letter ^ 1:
            word.pop()
        else:
            word.append(letter)
    while word and word[0] == word[-1] ^ 1:
        word = word[1:-1]
    return min((tuple(word[k:] + word[:k]) for k in range(len(word))), default=())


def term(words: Iterable[Iterable[int]]) -> Term:
    """The product of the traces of words. The trace of no letters, over N, is 1 and left out."""
    loops = sorted(word for word in map(loop, words) if word)
    conjugate = sorted(loop(letter ^ 1 for letter in reversed(word)) for word in loops)
    return tuple(min(loops, conjugate))


def swapped(product: Term) -> Term:
    """The term with a and b in each other's place, as after half a turn of the lattice."""
    return term([letter ^ 2 for letter in word] for word in product)


def is_pair(product: Term) -> bool:
    """Whether both plaquettes stand in a term."""
    return len({letter // 2 for word in product for letter in word}) == 2


def terms(degree: int) -> list[Term]:
    """All terms of one plaquette, then all of two, of so many letters or fewer; no swapped ones."""
    found = {
        term(words)
        for length in range(1, degree + 1)
        for letters in itertools.product(range(4), repeat=length)
        for words in _divided(letters)
    }
    distinct = {min(product, swapped(product)) for product in found if product}
    return sorted(distinct, key=lambda product: (is_pair(product), sum(map(len, product)), product))


def _divided(letters: Word) -> Iterator[list[Word]]:
    """All ways to divide letters into words."""
    yield [letters]
    for k in range(1, len(letters)):
        yield from ([letters[:k], *rest] for rest in _divided(letters[k:]))


def laplacian(product: Term, n: int) -> Mapping[Term, float]:
    """sum_a d_a d_a of a term in SU(n), summed over the links of its plaquettes: terms again.

    All links of a and of b must be distinct, but for U: extents are 3 or more.
    """
    result: defaultdict[Term, float] = defaultdict(float)
    for links, signs in _PAIR if is_pair(product) else _ALONE:
        # A derivative stands before a link, and after the inverse of a link.
        places = [
            (w, k + (signs[letter] < 0), signs[letter])
            for w, word in enumerate(product)
            for k, letter in enumerate(word)
            if letter in signs
        ]
        result[product] -= links * len(places) * (n * n - 1) / (2 * n)
        for (w, at, sign), (v, to, other) in itertools.combinations(places, 2):
            first, second = product[w], product[v]
            if w == v:
                new = [first[at:to], first[to:] + first[:at]]
            else:
                new = [first[at:] + first[:at] + second[to:] + second[:to]]
            rest = [word for k, word in enumerate(product) if k not in (w, v)]
            size = links * sign * other
            result[term([*rest, *new])] -= size * n ** (len(rest) + len(new) - len(product))
            result[product] += size / n
    return {key: value for key, value in result.items() if value}
