//! Our client order ids, read without the bot's own code: version 4, tag 16, run 40, strategy 6, leg 24, side 1,
//! generation 37 bits, as 22 base-62 digits.

/// What an id says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    /// The start of the bot that made it.
    pub(crate) run: u64,
    /// The strategy's number.
    pub(crate) strategy: u8,
    /// The slot.
    pub(crate) index: i32,
    /// Whether it sells.
    pub(crate) sells: bool,
    /// The number of the order within the run.
    pub(crate) generation: u64,
}

/// Reads an id; `None` when it is not one of the bot's.
pub(crate) fn parse(text: &str) -> Option<Id> {
    if text.len() != 22 {
        return None;
    }
    let mut bits: u128 = 0;
    for byte in text.bytes() {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            b'a'..=b'z' => byte - b'a' + 36,
            _ => return None,
        };
        bits = bits.checked_mul(62)?.checked_add(u128::from(digit))?;
    }
    let field = |from: u32, length: u32| (bits >> from) & ((1 << length) - 1);
    if field(124, 4) != 1 {
        return None;
    }
    // Shifts the 24-bit sign into place.
    let index = ((u32::try_from(field(38, 24)).ok()? << 8) as i32) >> 8;
    Some(Id {
        run: u64::try_from(field(68, 40)).ok()?,
        strategy: u8::try_from(field(62, 6)).ok()?,
        index,
        sells: field(37, 1) == 1,
        generation: u64::try_from(field(0, 37)).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(mut bits: u128) -> String {
        const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut text = [b'0'; 22];
        for byte in text.iter_mut().rev() {
            *byte = DIGITS[(bits % 62) as usize];
            bits /= 62;
        }
        String::from_utf8(text.to_vec()).unwrap()
    }

    #[test]
    fn fields_are_found_in_their_places() {
        let bits = 1_u128 << 124 | 0xbeef << 108 | 1_763_000_000 << 68 | 3 << 62 | (0x00ff_ffff & -5_i32 as u128) << 38 | 1 << 37 | 77;
        let expected = Id { run: 1_763_000_000, strategy: 3, index: -5, sells: true, generation: 77 };
        assert_eq!(parse(&text(bits)), Some(expected));
        for other in ["", "autoclose-1234567890123", "zzzzzzzzzzzzzzzzzzzzzz", "000000000000000000000!", &text(2 << 124)] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
