//! Arrays of any length, written down and read back: `#[serde(with = "plimsoll_bounded::array")]`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A fixed array, or one behind a box.
pub trait Array: Sized + TryFrom<Vec<Self::Item>> {
    /// What it holds.
    type Item;

    /// Its items.
    fn items(&self) -> &[Self::Item];
}

impl<T, const N: usize> Array for [T; N] {
    type Item = T;

    fn items(&self) -> &[T] {
        self
    }
}

impl<T, const N: usize> Array for Box<[T; N]> {
    type Item = T;

    fn items(&self) -> &[T] {
        self.as_slice()
    }
}

/// Writes all items, and how many there are.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<A: Array<Item: Serialize>, S: Serializer>(array: &A, serializer: S) -> Result<S::Ok, S::Error> {
    array.items().serialize(serializer)
}

/// Reads as many items as the array has.
///
/// # Errors
/// Another number of items, and those of the deserializer.
pub fn deserialize<'de, A: Array<Item: Deserialize<'de>>, D: Deserializer<'de>>(deserializer: D) -> Result<A, D::Error> {
    let items = Vec::deserialize(deserializer)?;
    let count = items.len();
    A::try_from(items).map_err(|_| D::Error::custom(format_args!("an array of {count} items has another length")))
}
