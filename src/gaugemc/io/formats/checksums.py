"""The field's checksums of links, each with the methods of a hash of the standard library."""

import zlib

import numpy as np


class WordSum:
    """NERSC: the sum of all words of 32 bits, in the file's byte order, modulo 2^32."""

    def __init__(self, real: np.dtype):
        self._word = np.dtype(np.uint32).newbyteorder(real.byteorder)
        self._sum = 0

    def update(self, data: bytes, /) -> None:
        self._sum += int(np.sum(np.frombuffer(data, self._word), dtype=np.uint64))

    def hexdigest(self) -> str:
        return f"{self._sum % 2**32:08x}"


class RotatedWords:
    """MILC: word k is rotated left by k modulo 29, and by k modulo 31; xor of all, two sums."""

    def __init__(self, word: np.dtype):
        self._word = word
        self._rank = 0
        self._sums = {29: 0, 31: 0}

    def words(self, data: bytes) -> np.ndarray:
        """The words of 32 bits that are rotated."""
        return np.frombuffer(data, self._word)

    def update(self, data: bytes, /) -> None:
        words = self.words(data).astype(np.uint64)
        rank = np.arange(self._rank, self._rank + len(words), dtype=np.uint64)
        for modulus in self._sums:
            shift = rank % modulus
            rotated = np.bitwise_xor.reduce(words << shift | words >> (32 - shift))
            self._sums[modulus] ^= int(rotated) % 2**32
        self._rank += len(words)

    def hexdigest(self) -> str:
        return " ".join(f"{value:08x}" for value in self._sums.values())


class SiteSums(RotatedWords):
    """SciDAC: the same of one word a site, the CRC-32 of the site's bytes."""

    def __init__(self, site: int):
        super().__init__(np.dtype(np.uint32))
        self._site = site

    def words(self, data: bytes) -> np.ndarray:
        view, size = memoryview(data), self._site
        sites = range(0, len(view), size)
        return np.fromiter((zlib.crc32(view[i : i + size]) for i in sites), np.uint32, len(sites))


Checksum = WordSum | RotatedWords
