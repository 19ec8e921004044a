//! A hash that is the same in every run.

use std::hash::{BuildHasher, Hasher};

/// Builds [`FixedHasher`]s. Without a seed, so that every run and every machine iterates and collides alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FixedState;

impl BuildHasher for FixedState {
    type Hasher = FixedHasher;

    fn build_hasher(&self) -> FixedHasher {
        FixedHasher { state: SEED }
    }
}

/// Mixes words by a folded 64 × 64 → 128 bit product.
///
/// Not safe against chosen keys: somebody who chooses them can make lookups walk the whole table. Tables here are
/// bounded, so that costs time in proportion to the capacity, never memory.
#[derive(Clone, Copy, Debug)]
pub struct FixedHasher {
    state: u64,
}

/// Digits of pi and of the golden ratio: odd, without pattern, nothing up our sleeve.
const SEED: u64 = 0x243f_6a88_85a3_08d3;
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl FixedHasher {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(FACTOR);
        // Both halves carry the product's entropy; the rotation keeps a zero word from being absorbed.
        self.state = (product as u64 ^ (product >> 64) as u64).rotate_left(23).wrapping_add(SEED);
    }
}

impl Hasher for FixedHasher {
    fn finish(&self) -> u64 {
        let product = u128::from(self.state) * u128::from(FACTOR);
        product as u64 ^ (product >> 64) as u64
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            // The length tells "a" from "a\0".
            self.mix(u64::from_le_bytes(last) ^ (rest.len() as u64) << 56);
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.mix(u64::from(word));
    }

    fn write_u16(&mut self, word: u16) {
        self.mix(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.mix(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    fn write_u128(&mut self, word: u128) {
        self.mix(word as u64);
        self.mix((word >> 64) as u64);
    }

    fn write_usize(&mut self, word: usize) {
        self.mix(word as u64);
    }
}
