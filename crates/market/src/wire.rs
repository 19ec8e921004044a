//! Values with an invariant, read back from what was written down: what breaks it is refused.

use crate::ids::{ClientId, Leg};
use crate::limits::SCALE_MAX;
use crate::money::{Price, Qty};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let units = i64::deserialize(deserializer)?;
        if units < 0 { Err(D::Error::custom("a price is never negative")) } else { Ok(Self::from_units(units)) }
    }
}

impl<'de> Deserialize<'de> for Qty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let units = u64::deserialize(deserializer)?;
        if units > i64::MAX.unsigned_abs() { Err(D::Error::custom("a quantity must fit a holding")) } else { Ok(Self::from_units(units)) }
    }
}

impl Serialize for Leg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.strategy(), self.index()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Leg {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (strategy, index) = Deserialize::deserialize(deserializer)?;
        Self::new(strategy, index).ok_or_else(|| D::Error::custom("a leg is out of range"))
    }
}

impl Serialize for ClientId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.bits().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_bits(u128::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Reads a scale.
pub(crate) fn scale<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let scale = u8::deserialize(deserializer)?;
    if scale > SCALE_MAX { Err(D::Error::custom("a scale is out of range")) } else { Ok(scale) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::IntoDeserializer;
    use serde::de::value::Error;

    #[test]
    fn what_breaks_an_invariant_is_refused() {
        let price = |units: i64| Price::deserialize(IntoDeserializer::<Error>::into_deserializer(units)).is_ok();
        assert!(price(0) && price(i64::MAX) && !price(-1));
        let qty = |units: u64| Qty::deserialize(IntoDeserializer::<Error>::into_deserializer(units)).is_ok();
        assert!(qty(i64::MAX.unsigned_abs()) && !qty(i64::MAX.unsigned_abs() + 1));
        let digits = |digits: u8| scale(IntoDeserializer::<Error>::into_deserializer(digits)).is_ok();
        assert!(digits(SCALE_MAX) && !digits(SCALE_MAX + 1));
        let leg = |parts: [i32; 2]| {
            let parts = serde::de::value::SeqDeserializer::<_, Error>::new(parts.into_iter());
            Leg::deserialize(parts).is_ok()
        };
        assert!(leg([63, -Leg::INDEX_MAX]) && !leg([64, 0]) && !leg([0, Leg::INDEX_MAX + 1]));
        let id = |bits: u128| ClientId::deserialize(IntoDeserializer::<Error>::into_deserializer(bits)).is_ok();
        assert!(id(u128::from(ClientId::VERSION) << 124) && !id(0));
    }
}
