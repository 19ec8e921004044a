//! What becomes of a message on its way.

use core::time::Duration;
use plimsoll_testnet::counter::Answer;
use rand_core::RngCore;

/// What becomes of a request that arrives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// It is answered.
    Plain,
    /// It is carried out, and nobody learns of it.
    AnswerLost,
    /// 503, and carried out.
    BusyAccepted,
    /// 503, and not carried out.
    BusyRefused,
    /// -1007, and carried out.
    TimeoutAccepted,
    /// It is carried out, and the answer is damaged.
    Mangled,
    /// It is refused with a status and a code, and not carried out.
    Refused(u16, i32),
    /// It is carried out, and answered as if it had come twice.
    Doubled(u16, i32),
    /// It is answered so late.
    Late(Duration),
    /// It is carried out, and in the answer the second text stands in place of the first.
    Edited(&'static str, &'static str),
}

impl Fate {
    /// What the exchange says instead of an answer.
    pub(crate) fn answer(&self) -> Answer {
        let coded;
        let (status, body) = match self {
            Self::Refused(status, code) | Self::Doubled(status, code) => {
                coded = format!(r#"{{"code":{code},"msg":"Refused."}}"#);
                (*status, coded.as_str())
            }
            Self::TimeoutAccepted => (
                408,
                r#"{"code":-1007,"msg":"Timeout waiting for response from backend server. Send status unknown; execution status unknown."}"#,
            ),
            Self::BusyRefused => {
                (503, r#"{"code":-1008,"msg":"Server is currently overloaded with other requests. Please try again in a few minutes."}"#)
            }
            Self::Plain | Self::AnswerLost | Self::BusyAccepted | Self::Mangled | Self::Late(_) | Self::Edited(..) => {
                (503, r#"{"code":-1000,"msg":"Unknown error, please check your request or try again later."}"#)
            }
        };
        Answer { status, body: body.to_owned(), weight: 1, orders: None, retry_after_s: None }
    }
}

/// Cuts a message off, or takes one of its fields out.
pub(crate) fn mangle(text: &str, random: &mut impl RngCore) -> String {
    let fields: Vec<usize> = text.match_indices(",\"").map(|(at, _)| at).collect();
    let pick = |random: &mut dyn RngCore, most: usize| (random.next_u64() % most.max(1) as u64) as usize;
    if fields.is_empty() || random.next_u64().is_multiple_of(4) {
        let mut cut = pick(random, text.len());
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        return text.get(..cut).unwrap_or("").to_owned();
    }
    let at = fields.get(pick(random, fields.len())).copied().unwrap_or(0);
    let rest = text.get(at + 1..).unwrap_or("");
    let end = rest.find([',', '}']).map_or(text.len(), |length| at + 1 + length);
    format!("{}{}", text.get(..at).unwrap_or(""), text.get(end..).unwrap_or(""))
}
