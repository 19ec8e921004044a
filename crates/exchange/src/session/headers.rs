use super::budget::Used;
use core::time::Duration;

/// Reads what a reply's headers say about limits; `get` finds a header by its lower-case name.
///
/// Headers that are absent or no numbers count as not told.
pub fn read_headers<'a>(get: impl Fn(&str) -> Option<&'a str>) -> (Used, Option<Duration>) {
    let number = |name| get(name).and_then(|text| text.trim().parse::<u32>().ok());
    let used = Used {
        weight_1m: number("x-mbx-used-weight-1m"),
        orders_10s: number("x-mbx-order-count-10s"),
        orders_1m: number("x-mbx-order-count-1m"),
    };
    (used, number("retry-after").map(|seconds| Duration::from_secs(u64::from(seconds))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_there() {
        let headers = [("x-mbx-used-weight-1m", "37"), ("x-mbx-order-count-10s", " 2 "), ("retry-after", "later")];
        let (used, after) = read_headers(|name| headers.iter().find(|(n, _)| *n == name).map(|(_, value)| *value));
        assert_eq!((used.weight_1m, used.orders_10s, used.orders_1m, after), (Some(37), Some(2), None, None));
    }
}
