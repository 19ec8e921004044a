//! What the exchange's error codes mean: decided by code and HTTP status, never by text.
//!
//! Codes: <https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code>, read November 2026.

use super::wire::{DecodeError, Int, cut, parse};
use crate::class::{Class, Outcome};
use crate::limits::QUOTE_MAX;
use arrayvec::ArrayString;
use core::fmt;
use core::time::Duration;
use plimsoll_market::{CancelFailure, Reject};
use serde::Deserialize;
use std::borrow::Cow;

/// How long to wait after 429 or 418 when the exchange does not say: the limits count by the minute.
pub const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(60);

/// How long to wait when the exchange is overloaded.
const BUSY: Duration = Duration::from_secs(1);

/// An answer that says no.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status; 200 for an element of a batch, and the `status` of a WebSocket-API reply.
    pub status: u16,
    /// The exchange's code, negative; 0 when the body had none.
    pub code: i32,
    /// How long the exchange asks to wait, by the header `Retry-After`.
    pub retry_after: Option<Duration>,
    /// The exchange's text, cut; for people only, nothing is decided by it.
    pub text: ArrayString<QUOTE_MAX>,
}

/// The body of an error.
#[derive(Deserialize)]
pub(super) struct ErrorBody<'a> {
    pub code: Int,
    #[serde(borrow, default)]
    pub msg: Cow<'a, str>,
}

impl ApiError {
    /// Reads the answer to a failed request. A body that is not the exchange's JSON (a proxy's page, nothing at all) counts
    /// by its status alone.
    pub fn from_reply(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        match serde_json::from_slice::<ErrorBody<'_>>(body) {
            Ok(error) => Self::new(status, error.code.0, retry_after, &error.msg),
            Err(_) => Self::new(status, 0, retry_after, &String::from_utf8_lossy(body.get(..QUOTE_MAX).unwrap_or(body))),
        }
    }

    /// Reads an error's body alone.
    ///
    /// # Errors
    /// Anything that is not `{"code", "msg"}`.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let error: ErrorBody<'_> = parse("error", body)?;
        Ok(Self::new(0, error.code.0, None, &error.msg))
    }

    pub(super) fn new(status: u16, code: i64, retry_after: Option<Duration>, text: &str) -> Self {
        Self { status, code: i32::try_from(code).unwrap_or(i32::MIN), retry_after, text: cut(text) }
    }

    /// What is known about the request that failed.
    pub const fn outcome(&self) -> Outcome {
        match (self.status, self.code) {
            // Overloaded: turned away before anything was done.
            (_, -1008) => Outcome::NotDone,
            // "Execution status unknown": it may have been carried out.
            (_, -1000 | -1001 | -1006 | -1007) => Outcome::Unknown,
            // Something behind the door broke, and nobody knows how far the request came; the code that comes with it varies.
            (500.., _) => Outcome::Unknown,
            // Any other code is an answer of the exchange itself: it did nothing.
            (_, ..0) => Outcome::NotDone,
            // Without a code: a limiter, firewall or router in front of it refused.
            (400..=499, _) => Outcome::NotDone,
            _ => Outcome::Unknown,
        }
    }

    /// What to do.
    pub fn class(&self) -> Class {
        let wait = |default: Duration| Class::Retry { after: self.retry_after.unwrap_or(default) };
        match (self.status, self.code) {
            // Banned: going on makes it last longer.
            (418, _) => wait(RETRY_AFTER_DEFAULT),
            // A busy exchange sends 503 with changing codes; only this one says that nothing was done.
            (500.., code) if code != -1008 => Class::Unavailable,
            (429, _) | (_, -1003) => wait(RETRY_AFTER_DEFAULT),
            // The order limit counts by ten seconds and by the minute.
            (_, -1015) => wait(Duration::from_secs(10)),
            (_, -1008) => wait(BUSY),
            // Our clock or the window; to be mended by measuring the offset anew.
            (_, -1021 | -5028) => Class::RETRY_NOW,
            // The listen key is gone; a new one helps.
            (_, -1125) => Class::RETRY_NOW,
            (_, -1000 | -1001 | -1004 | -1006 | -1007 | -1016) => Class::Unavailable,
            // Key, address, permission or signature: a human must act.
            (_, -1002 | -1005 | -1011 | -1022 | -2014 | -2015 | -2017 | -4056 | -4057 | -4084 | -4087 | -4088 | -4400) => Class::Fatal,
            (_, code) if code < 0 => Class::Refused,
            (401 | 403, _) => Class::Fatal,
            (400..=499, _) => Class::Refused,
            _ => Class::Unavailable,
        }
    }

    /// Why a request of ours was refused, as far as a decision depends on it.
    pub const fn reject(&self) -> Reject {
        match self.code {
            -5022 => Reject::WouldTake,
            -2018 | -2019 | -4050 | -4051 | -4055 => Reject::Margin,
            -2022 | -2024 | -4118 | -5047 => Reject::NothingToReduce,
            -1111 | -4001..=-4000 | -4014..=-4002 | -4016 | -4018 | -4023 | -4024 | -4029 | -4030 | -4131 | -4164 | -4184 => Reject::Filter,
            -2025 | -4045 => Reject::TooManyOrders,
            -1003 | -1015 => Reject::RateLimited,
            -4116 | -4111 => Reject::Duplicate,
            -1008 | -1004 => Reject::Busy,
            -4108 | -4109 | -4140 | -4141 | -4142 | -1121 | -1122 => Reject::Closed,
            -2023 | -2026 | -2027 | -2028 | -4400..=-4399 | -4192 => Reject::Restricted,
            -1021 | -1022 | -5028 => Reject::Stamp,
            -1002 | -1005 | -1011 | -2014 | -2015 | -2017 | -4056 | -4057 | -4084 | -4087 | -4088 => Reject::Permission,
            0 => match self.status {
                429 | 418 => Reject::RateLimited,
                401 | 403 => Reject::Permission,
                _ => Reject::Other(0),
            },
            code => Reject::Other(code),
        }
    }

    /// Why a cancel failed.
    pub const fn cancel_failure(&self) -> CancelFailure {
        match self.code {
            -2011 | -2013 => CancelFailure::NotOpen,
            _ => CancelFailure::Refused(self.reject()),
        }
    }

    /// Whether the exchange has never seen the order asked for, or has forgotten it.
    pub const fn is_no_such_order(&self) -> bool {
        matches!(self.code, -2013 | -2011)
    }

    /// Whether a leverage cannot be had because margin in use needs the one there is.
    pub const fn is_leverage_bound(&self) -> bool {
        matches!(self.code, -2028 | -4161)
    }

    /// Whether the setting asked for was already so (margin type, position mode, multi-assets mode): nothing to do.
    pub const fn is_unchanged(&self) -> bool {
        matches!(self.code, -4046 | -4059 | -4171 | -5027)
    }

    /// Whether our address is banned for a while.
    pub const fn is_ban(&self) -> bool {
        self.status == 418
    }

    /// Whether the clock offset must be measured before the next signed request.
    pub const fn is_clock(&self) -> bool {
        matches!(self.code, -1021 | -5028)
    }

    /// Whether the listen key is unknown and a new one is needed.
    pub const fn is_listen_key_gone(&self) -> bool {
        self.code == -1125
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exchange answers {} (status {}): {:?}", self.code, self.status, self.text.as_str())
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ApiError {}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: fn(u64) -> Class = |s| Class::Retry { after: Duration::from_secs(s) };

    #[track_caller]
    fn check(status: u16, code: i32, class: Class, outcome: Outcome, reject: Reject) {
        let body = if code == 0 { "<html>".to_owned() } else { format!(r#"{{"code":{code},"msg":"any text"}}"#) };
        let error = ApiError::from_reply(status, None, body.as_bytes());
        assert_eq!((error.class(), error.outcome(), error.reject()), (class, outcome, reject), "{status} {code}");
    }

    #[test]
    fn codes_decide_the_class() {
        use Class::{Fatal, Refused, Unavailable};
        use Outcome::{NotDone, Unknown};
        check(400, -1000, Unavailable, Unknown, Reject::Other(-1000));
        check(503, -1001, Unavailable, Unknown, Reject::Other(-1001));
        check(503, -1006, Unavailable, Unknown, Reject::Other(-1006));
        check(503, -1007, Unavailable, Unknown, Reject::Other(-1007));
        check(408, -1007, Unavailable, Unknown, Reject::Other(-1007));
        check(503, -1008, RETRY(1), NotDone, Reject::Busy);
        check(429, -1003, RETRY(60), NotDone, Reject::RateLimited);
        check(418, -1003, RETRY(60), NotDone, Reject::RateLimited);
        check(429, -1015, RETRY(60), NotDone, Reject::RateLimited);
        check(400, -1015, RETRY(10), NotDone, Reject::RateLimited);
        check(400, -1021, Class::RETRY_NOW, NotDone, Reject::Stamp);
        check(400, -5028, Class::RETRY_NOW, NotDone, Reject::Stamp);
        check(400, -1022, Fatal, NotDone, Reject::Stamp);
        check(401, -2014, Fatal, NotDone, Reject::Permission);
        check(401, -2015, Fatal, NotDone, Reject::Permission);
        check(400, -1002, Fatal, NotDone, Reject::Permission);
        check(400, -1125, Class::RETRY_NOW, NotDone, Reject::Other(-1125));
        check(400, -1111, Refused, NotDone, Reject::Filter);
        for code in [-4000, -4001, -4002, -4003, -4004, -4005, -4013, -4014, -4016, -4023, -4024, -4131, -4164] {
            check(400, code, Refused, NotDone, Reject::Filter);
        }
        check(400, -4015, Refused, NotDone, Reject::Other(-4015));
        for code in [-2018, -2019] {
            check(400, code, Refused, NotDone, Reject::Margin);
        }
        for code in [-2022, -2024, -4118, -5047] {
            check(400, code, Refused, NotDone, Reject::NothingToReduce);
        }
        check(400, -2025, Refused, NotDone, Reject::TooManyOrders);
        check(400, -4116, Refused, NotDone, Reject::Duplicate);
        check(400, -5022, Refused, NotDone, Reject::WouldTake);
        for code in [-2023, -2026, -2027, -2028] {
            check(400, code, Refused, NotDone, Reject::Restricted);
        }
        for code in [-4140, -4141, -1121] {
            check(400, code, Refused, NotDone, Reject::Closed);
        }
        for code in [
            -1100, -1101, -1102, -1103, -1104, -1105, -1106, -1112, -1114, -1115, -1116, -1117, -1120, -1130, -2011, -2013, -2021, -4028,
            -4046, -4047, -4048, -4059, -4061, -4067, -4068, -4120, -4161, -5021, -5024, -5025, -5026, -5027,
        ] {
            check(400, code, Refused, NotDone, Reject::Other(code));
        }
    }

    #[test]
    fn a_status_without_a_code_decides_too() {
        check(503, 0, Class::Unavailable, Outcome::Unknown, Reject::Other(0));
        check(502, 0, Class::Unavailable, Outcome::Unknown, Reject::Other(0));
        check(403, 0, Class::Fatal, Outcome::NotDone, Reject::Permission);
        check(429, 0, RETRY(60), Outcome::NotDone, Reject::RateLimited);
        check(404, 0, Class::Refused, Outcome::NotDone, Reject::Other(0));
        let asked = ApiError::from_reply(429, Some(Duration::from_secs(7)), b"");
        assert_eq!(asked.class(), RETRY(7));
    }

    #[test]
    fn texts_decide_nothing() {
        let unknown =
            ApiError::from_reply(503, None, br#"{"code":-1000,"msg":"Unknown error, please check your request or try again later."}"#);
        assert_eq!(unknown.outcome(), Outcome::Unknown);
        let odd = ApiError::from_reply(503, None, br#"{"code":-1003,"msg":"Unknown error"}"#);
        assert_eq!((odd.class(), odd.outcome()), (Class::Unavailable, Outcome::Unknown));
        let lying = ApiError::from_reply(400, None, br#"{"code":-2019,"msg":"Too many requests"}"#);
        assert_eq!(lying.reject(), Reject::Margin);
        assert_eq!(ApiError::from_reply(400, None, br#"{"code":-2011,"msg":""}"#).cancel_failure(), CancelFailure::NotOpen);
        assert_eq!(ApiError::from_reply(400, None, br#"{"code":-1021}"#).cancel_failure(), CancelFailure::Refused(Reject::Stamp));
        assert!(ApiError::from_reply(400, None, br#"{"code":-4046,"msg":"No need to change margin type."}"#).is_unchanged());
    }
}
