//! Signatures, checked over the bytes exactly as they came.

use super::error::ApiError;
use super::params::Params;
use crate::binance::sign::Signer;

/// A request's signature and the text that it has to fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    payload: String,
    signature: String,
}

impl Signed {
    /// Takes query and body apart: the text signed is both, one behind the other, without the signature itself.
    ///
    /// Nothing is decoded: clients sign what they send, percent signs and all.
    ///
    /// # Errors
    /// No signature, or a body that is no UTF-8.
    pub fn split(query: &str, body: &[u8]) -> Result<Self, ApiError> {
        let body = core::str::from_utf8(body).map_err(|_| ApiError::illegal("body", "UTF-8"))?;
        let mut payload = String::with_capacity(query.len() + body.len());
        let mut signature = None;
        for text in [query, body] {
            let mut first = true;
            for part in text.split('&') {
                if let Some(value) = part.strip_prefix("signature=") {
                    signature.get_or_insert(value);
                    continue;
                }
                if !first {
                    payload.push('&');
                }
                first = false;
                payload.push_str(part);
            }
        }
        match signature {
            Some(signature) if !signature.is_empty() => Ok(Self { payload, signature: signature.to_owned() }),
            _ => Err(ApiError::missing("signature")),
        }
    }

    /// Takes the parameters of a WebSocket request apart: the text signed is all of them in alphabetical order.
    ///
    /// # Errors
    /// No signature.
    pub fn sorted(params: &Params) -> Result<Self, ApiError> {
        let signature = params.need("signature")?.to_owned();
        let mut pairs: Vec<_> = params.iter().filter(|(name, _)| *name != "signature").collect();
        pairs.sort_unstable();
        let mut payload = String::new();
        for (name, value) in pairs {
            if !payload.is_empty() {
                payload.push('&');
            }
            payload.push_str(name);
            payload.push('=');
            payload.push_str(value);
        }
        Ok(Self { payload, signature })
    }

    /// Checks the signature, in constant time.
    ///
    /// # Errors
    /// It does not fit.
    pub fn verify(&self, signer: &Signer) -> Result<(), ApiError> {
        if signer.verify(self.payload.as_bytes(), &self.signature) { Ok(()) } else { Err(ApiError::signature()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binance::sign::Secret;

    /// Binance's own example (API documentation, "SIGNED Endpoint Examples"), as a body, as a query, and mixed.
    const SECRET: &str = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9";
    const TEXT: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943";
    const SIGNATURE: &str = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9";

    #[track_caller]
    fn check(query: &str, body: &str, good: bool) {
        let secret = |text: &str| Secret::new(text.to_owned()).unwrap();
        let signer = Signer::new(secret("key"), &secret(SECRET));
        let outcome = Signed::split(query, body.as_bytes()).and_then(|signed| signed.verify(&signer));
        assert_eq!(outcome, if good { Ok(()) } else { Err(ApiError::signature()) });
    }

    #[test]
    fn accepts_the_documented_example() {
        check(&format!("{TEXT}&signature={SIGNATURE}"), "", true);
        check("", &format!("{TEXT}&signature={SIGNATURE}"), true);
        check("", &format!("{TEXT}&signature={}", SIGNATURE.to_uppercase()), true);
        let (query, body) = TEXT.split_at("symbol=BTCUSDT&side=BUY&type=LIMIT".len());
        check(&format!("{query}&signature={SIGNATURE}"), body, true);
    }

    #[test]
    fn refuses_any_other_byte() {
        check(&format!("{}&signature={SIGNATURE}", TEXT.replace("9000", "9001")), "", false);
        check(&format!("{TEXT}&signature={}0", &SIGNATURE[..63]), "", false);
        check(&format!("{TEXT}&signature={}", &SIGNATURE[..62]), "", false);
        check(&format!("{TEXT}&signature=zz{}", &SIGNATURE[2..]), "", false);
        assert_eq!(Signed::split(TEXT, b"").unwrap_err(), ApiError::missing("signature"));
    }

    #[test]
    fn signs_percent_signs_as_they_are() {
        let signed = Signed::split("orderidlist=%5B1%2C2%5D&timestamp=1&signature=00", b"").unwrap();
        assert_eq!(signed.payload, "orderidlist=%5B1%2C2%5D&timestamp=1");
    }

    #[test]
    fn sorts_the_parameters_of_a_socket_request() {
        let pairs = [("symbol", "B"), ("signature", "x"), ("apiKey", "k"), ("price", "1")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let signed = Signed::sorted(&Params::from_pairs(pairs).unwrap()).unwrap();
        assert_eq!((signed.payload.as_str(), signed.signature.as_str()), ("apiKey=k&price=1&symbol=B", "x"));
    }
}
