//! Request parameters: what was sent, decoded, with the exchange's errors for what is missing or wrong.

use super::error::ApiError;

/// Parameters one request may have.
///
/// The widest order has about 20; the rest is room for what clients add and the exchange ignores.
pub const PARAMS_MAX: usize = 64;

/// The decoded parameters of a request, in the order sent; the query's come before the body's.
///
/// What no handler asks for is ignored, as the exchange does for most of its routes: clients send extras
/// (`clientOrderId`, `returnRateLimits`) that must not make an order fail.
///
/// # Bounds
/// [`PARAMS_MAX`] parameters; a request with more is refused.
#[derive(Clone, Debug, Default)]
pub struct Params {
    pairs: Vec<(String, String)>, // tidy: bounded by PARAMS_MAX, lives as long as a request
}

impl Params {
    /// Reads the query and a form body, both as sent.
    ///
    /// # Errors
    /// Too many parameters, one sent twice in the same part, or bytes that are no UTF-8.
    pub fn parse(query: &str, body: &[u8]) -> Result<Self, ApiError> {
        let body = core::str::from_utf8(body).map_err(|_| ApiError::illegal("body", "UTF-8"))?;
        let mut params = Self::default();
        params.read(query)?;
        let from_query = params.pairs.len();
        params.read(body)?;
        // A parameter in both parts counts as in the query.
        let (head, tail) = params.pairs.split_at(from_query);
        let kept: Vec<_> = tail.iter().filter(|(name, _)| head.iter().all(|(other, _)| other != name)).cloned().collect();
        params.pairs.truncate(from_query);
        params.pairs.extend(kept);
        Ok(params)
    }

    /// Takes parameters that are decoded already, as in a WebSocket request.
    ///
    /// # Errors
    /// Too many parameters.
    pub fn from_pairs(pairs: Vec<(String, String)>) -> Result<Self, ApiError> {
        if pairs.len() > PARAMS_MAX { Err(ApiError::too_many_params(PARAMS_MAX, pairs.len())) } else { Ok(Self { pairs }) }
    }

    fn read(&mut self, text: &str) -> Result<(), ApiError> {
        let start = self.pairs.len();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            if self.pairs.len() == PARAMS_MAX {
                return Err(ApiError::too_many_params(PARAMS_MAX, text.split('&').count()));
            }
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if self.pairs.get(start..).is_some_and(|sent| sent.iter().any(|(other, _)| *other == name)) {
                return Err(ApiError::duplicate_param());
            }
            self.pairs.push((name, value));
        }
        Ok(())
    }

    /// Iterates over names and values in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Tells whether a parameter was sent with a value.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some_and(|value| !value.is_empty())
    }

    /// Returns a parameter that must be there.
    ///
    /// # Errors
    /// Absent or empty.
    pub fn need(&self, name: &str) -> Result<&str, ApiError> {
        self.find(name).filter(|value| !value.is_empty()).ok_or_else(|| ApiError::missing(name))
    }

    /// Returns a parameter that may be absent.
    ///
    /// # Errors
    /// Sent empty.
    pub fn maybe(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.find(name) {
            Some("") => Err(ApiError::empty(name)),
            other => Ok(other),
        }
    }

    /// Returns an integer that may be absent.
    ///
    /// # Errors
    /// Sent empty or not an integer.
    pub fn maybe_integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.maybe(name)?.map(|text| integer(name, text)).transpose()
    }

    /// Returns an integer that must be there.
    ///
    /// # Errors
    /// Absent, empty or not an integer.
    pub fn need_integer(&self, name: &str) -> Result<i64, ApiError> {
        integer(name, self.need(name)?)
    }

    /// Returns a time in milliseconds that may be absent.
    ///
    /// # Errors
    /// Sent empty, not an integer, or negative.
    pub fn maybe_millis(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let value = self.maybe_integer(name)?;
        value.map(|value| u64::try_from(value).map_err(|_| ApiError::illegal(name, INTEGER_RANGE))).transpose()
    }

    /// Returns a row count that may be absent; what is above `most` is cut to it, as the exchange does.
    ///
    /// # Errors
    /// Sent empty, not an integer, or below one.
    pub fn limit(&self, default: usize, most: usize) -> Result<usize, ApiError> {
        match self.maybe_integer("limit")? {
            None => Ok(default),
            Some(value) if value < 1 => Err(ApiError::invalid_data("limit")),
            Some(value) => Ok(usize::try_from(value).unwrap_or(most).min(most)),
        }
    }

    /// Returns a flag that may be absent; `true` and `false` in any letter case.
    ///
    /// # Errors
    /// Sent empty or another word.
    pub fn maybe_flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.maybe(name)? {
            None => Ok(None),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(ApiError::illegal(name, "true|false")),
        }
    }

    /// Returns a flag that must be there.
    ///
    /// # Errors
    /// Absent, empty or another word.
    pub fn need_flag(&self, name: &str) -> Result<bool, ApiError> {
        self.need(name)?;
        Ok(self.maybe_flag(name)? == Some(true))
    }

    /// Returns start and end of a query, both in milliseconds and both optional.
    ///
    /// # Errors
    /// Not times, or the start lies after the end.
    pub fn span(&self) -> Result<(Option<u64>, Option<u64>), ApiError> {
        let (start, end) = (self.maybe_millis("startTime")?, self.maybe_millis("endTime")?);
        match (start, end) {
            (Some(start), Some(end)) if start > end => Err(ApiError::start_after_end()),
            span => Ok(span),
        }
    }

    /// Returns a JSON array of integers or texts under any of these names, as texts.
    ///
    /// # Errors
    /// Not such an array.
    pub fn maybe_array(&self, names: [&str; 2]) -> Result<Option<Vec<String>>, ApiError> {
        let Some((name, text)) = names.iter().find_map(|name| self.find(name).map(|text| (*name, text))) else { return Ok(None) };
        let bad = || ApiError::illegal(name, "a JSON array");
        let values: Vec<serde_json::Value> = serde_json::from_str(text).map_err(|_| bad())?;
        let texts: Option<Vec<String>> = values
            .into_iter()
            .map(|value| match value {
                serde_json::Value::String(text) => Some(text),
                serde_json::Value::Number(number) => Some(number.to_string()),
                _ => None,
            })
            .collect();
        texts.map(Some).ok_or_else(bad)
    }
}

/// What integers may look like, as the exchange words it.
const INTEGER_RANGE: &str = "^[0-9]{1,20}$";

fn integer(name: &str, text: &str) -> Result<i64, ApiError> {
    text.parse().map_err(|_| ApiError::illegal(name, INTEGER_RANGE))
}

/// Decodes percent signs and pluses.
fn decode(text: &str) -> Result<String, ApiError> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Ok(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => match (rest.next().and_then(digit), rest.next().and_then(digit)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(ApiError::illegal("query", "percent-encoding")),
            },
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| ApiError::illegal("query", "UTF-8"))
}

/// The value of a hexadecimal digit.
fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_query_and_body_and_the_query_wins() {
        let params = Params::parse("symbol=BTCUSDT&a=%5B1%2C2%5D", b"symbol=ETHUSDT&side=BUY+X").unwrap();
        assert_eq!(params.iter().collect::<Vec<_>>(), [("symbol", "BTCUSDT"), ("a", "[1,2]"), ("side", "BUY X")]);
        assert_eq!(params.maybe_array(["orderIdList", "a"]).unwrap().unwrap(), ["1", "2"]);
    }

    #[test]
    fn names_what_is_missing_empty_or_malformed() {
        let params = Params::parse("a=&b=x&limit=0&f=maybe", b"").unwrap();
        assert_eq!(params.need("symbol").unwrap_err(), ApiError::missing("symbol"));
        assert_eq!(params.need("a").unwrap_err().code, -1102);
        assert_eq!(params.maybe("a").unwrap_err().code, -1105);
        assert_eq!(params.maybe_integer("b").unwrap_err().code, -1100);
        assert_eq!(params.limit(5, 10).unwrap_err().code, -1130);
        assert_eq!(params.maybe_flag("f").unwrap_err().code, -1100);
        assert_eq!(Params::parse("a=1&a=2", b"").unwrap_err().code, -1101);
        assert_eq!(Params::parse("startTime=2&endTime=1", b"").unwrap().span().unwrap_err().code, -1023);
    }

    #[test]
    fn refuses_one_parameter_too_many() {
        let text = |count: usize| (0..count).map(|i| format!("p{i}=1")).collect::<Vec<_>>().join("&");
        assert!(Params::parse(&text(PARAMS_MAX), b"").is_ok());
        assert_eq!(Params::parse(&text(PARAMS_MAX + 1), b"").unwrap_err().code, -1101);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(query in "\\PC{0,80}", body in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _outcome = Params::parse(&query, &body);
        }
    }
}
