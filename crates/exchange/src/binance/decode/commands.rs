//! What goes with commands on a stream's socket: the answers, and (to be shown to people) the commands themselves.

use crate::binance::error::{ApiError, ErrorBody};
use crate::binance::wire::{DecodeError, Limited, cut, parse};
use arrayvec::ArrayString;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The id that a command carried and its answer repeats.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ReplyId {
    /// A number, as this bot sends it.
    Number(u64),
    /// A text, cut to 40 bytes.
    Text(ArrayString<40>),
    /// None: the command was so broken that the exchange could not read its id.
    None,
}

impl core::fmt::Display for ReplyId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Number(id) => id.fmt(f),
            Self::Text(id) => write!(f, "{:?}", id.as_str()),
            Self::None => f.write_str("none"),
        }
    }
}

/// The answer to a command on a stream's socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reply {
    /// The command's id.
    pub id: ReplyId,
    /// How many streams a list names; `None` when it was no list.
    pub listed: Option<usize>,
    /// Why the command was refused; `None` when it was carried out.
    pub error: Option<ApiError>,
}

pub(super) fn read_id(raw: Option<&RawValue>) -> ReplyId {
    let Some(text) = raw.map(RawValue::get) else { return ReplyId::None };
    if let Ok(number) = text.parse::<u64>() {
        return ReplyId::Number(number);
    }
    match serde_json::from_str::<Cow<'_, str>>(text) {
        Ok(text) => ReplyId::Text(cut(&text)),
        Err(_) => ReplyId::None,
    }
}

pub(super) fn read_reply(bytes: &[u8]) -> Result<Reply, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow, default)]
        id: Option<&'a RawValue>,
        #[serde(borrow, default)]
        result: Option<&'a RawValue>,
        #[serde(borrow, default)]
        error: Option<ErrorBody<'a>>,
    }
    let wire: Wire<'_> = parse("answer to a command", bytes)?;
    let id = read_id(wire.id);
    let listed = wire.result.and_then(|r| serde_json::from_str::<Limited<serde::de::IgnoredAny, 4096>>(r.get()).ok()).map(|l| l.0.len());
    // The codes of stream commands are small and positive; the error is an error all the same.
    let error = wire.error.map(|e| ApiError::new(400, e.code.0, None, &e.msg));
    Ok(Reply { id, listed, error })
}

/// A command or request as a client sends it: for showing to people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// Its id.
    pub id: ReplyId,
    /// What is asked (`SUBSCRIBE`, `order.place`).
    pub method: ArrayString<64>,
    /// The streams named, or the names of the parameters; values of parameters are left out, a signature may be among them.
    pub params: Vec<String>, // tidy: bounded by the list's limit, lives while a message is shown
}

/// Reads a command.
///
/// # Errors
/// Anything that is not `{"id","method","params"}`.
pub fn command(bytes: &[u8]) -> Result<Command, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow, default)]
        id: Option<&'a RawValue>,
        #[serde(borrow)]
        method: Cow<'a, str>,
        #[serde(default)]
        params: Params,
    }
    #[derive(Deserialize, Default)]
    #[serde(untagged)]
    enum Params {
        Streams(Limited<String, 4096>),
        Named(std::collections::BTreeMap<String, serde::de::IgnoredAny>),
        #[default]
        None,
    }
    let wire: Wire<'_> = parse("command", bytes)?;
    let params = match wire.params {
        Params::Streams(streams) => streams.0,
        Params::Named(named) => named.into_keys().collect(),
        Params::None => Vec::new(),
    };
    Ok(Command { id: read_id(wire.id), method: cut(&wire.method), params })
}
