//! Letters as people and programs read them.

use crate::config::TextLimit;
use crate::letter::{Kind, Letter, utc};
use plimsoll_market::{AlertCode, Severity};
use serde_json::{Value, json};

/// Stands for what was cut off.
const ELLIPSIS: &str = "…";

/// Cuts a text at a character, with an ellipsis within the limit.
pub(crate) fn cut(text: &str, limit: TextLimit) -> String {
    let (measure, most): (fn(char) -> usize, usize) = match limit {
        TextLimit::Utf16(most) => (char::len_utf16, most),
        TextLimit::Bytes(most) => (char::len_utf8, most),
    };
    let len = |text: &str| text.chars().map(measure).sum::<usize>();
    if len(text) <= most {
        return text.to_owned();
    }
    let room = most.saturating_sub(len(ELLIPSIS));
    let mut used = 0;
    let mut out: String = text
        .chars()
        .take_while(|c| {
            used += measure(*c);
            used <= room
        })
        .collect();
    out.push_str(ELLIPSIS);
    out
}

fn code(letter: &Letter) -> &'static str {
    letter.code.map_or("alerts", AlertCode::as_str)
}

/// One line: `CRITICAL position_mismatch BTCUSDT binance:main ×3`.
pub(crate) fn headline(letter: &Letter) -> String {
    let severity = match letter.severity {
        Severity::Info => "INFO",
        Severity::Warning => "WARNING",
        Severity::Critical => "CRITICAL",
    };
    let mut out = match letter.kind {
        Kind::Alert | Kind::Digest => format!("{severity} {}", code(letter)),
        Kind::Undelivered => format!("{severity} undelivered alerts"),
        Kind::Test => "TEST".to_owned(),
    };
    let origin = &letter.origin;
    for name in [origin.symbol_name(), origin.account_name(), origin.subject_name()].into_iter().flatten() {
        out.push(' ');
        out.push_str(name);
    }
    if letter.count > 1 && letter.kind != Kind::Undelivered {
        out.push_str(&format!(" ×{}", letter.count));
    }
    out
}

/// What is below the headline.
pub(crate) fn body(letter: &Letter, instance: &str) -> String {
    let Letter { text, count, first, last, kind, .. } = letter;
    let (first, last) = (utc(*first), utc(*last));
    let when = match kind {
        Kind::Digest => format!("{count} more, from {first} to {last} UTC"),
        Kind::Alert if *count > 1 => format!("{count} times, from {first} to {last} UTC"),
        Kind::Alert | Kind::Undelivered | Kind::Test => format!("{last} UTC"),
    };
    format!("{text}\n{when} · {instance}")
}

/// Headline and body, cut.
pub(crate) fn text(letter: &Letter, instance: &str, limit: TextLimit) -> String {
    cut(&format!("{}\n{}", headline(letter), body(letter, instance)), limit)
}

/// Our own format.
pub(crate) fn json_of(letter: &Letter, instance: &str, boot_ms: u64, limit: TextLimit) -> Value {
    let Letter { id, kind, severity, origin, text, count, first, last, .. } = letter;
    json!({
        "version": 1,
        // The same for every attempt, so that a receiver can tell a repetition.
        "id": format!("{boot_ms:x}-{id:x}"),
        "instance": instance,
        "kind": kind.as_str(),
        "severity": severity.as_str(),
        "code": letter.code.map(AlertCode::as_str),
        "account": origin.account_name(),
        "symbol": origin.symbol_name(),
        "subject": origin.subject_name(),
        "text": cut(text, limit),
        "count": count,
        "first_ms": first.millis(),
        "last_ms": last.millis(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::letter::{Batch, Origin};
    use plimsoll_market::{Alert, Time};

    #[test]
    fn texts_are_cut_within_the_limit_and_at_a_character() {
        for (text, limit, expected) in [
            ("abcdef", TextLimit::Bytes(6), "abcdef"),
            ("abcdef", TextLimit::Bytes(5), "ab…"),
            ("äöüß", TextLimit::Bytes(8), "äöüß"),
            ("äöüß", TextLimit::Bytes(7), "äö…"),
            ("äöüß", TextLimit::Utf16(4), "äöüß"),
            ("äöüßa", TextLimit::Utf16(4), "äöü…"),
            ("😀😀😀", TextLimit::Utf16(6), "😀😀😀"),
            ("😀😀😀", TextLimit::Utf16(5), "😀😀…"),
            ("😀😀😀", TextLimit::Utf16(4), "😀…"),
        ] {
            assert_eq!(cut(text, limit), expected, "{text} {limit:?}");
        }
    }

    #[test]
    fn letters_read_well() {
        let time = Time::from_millis(1_700_000_000_000);
        let alert = Alert::new(Severity::Critical, AlertCode::PositionMismatch, time, &"ours 0.1, theirs 0.2");
        let batch = Batch::of(&alert, &Origin::symbol("binance:main", "BTCUSDT"));
        let one = Letter::of(1, Kind::Alert, &batch, time);
        let limit = TextLimit::Bytes(1000);
        assert_eq!(
            text(&one, "bot-1", limit),
            "CRITICAL position_mismatch BTCUSDT binance:main\nours 0.1, theirs 0.2\n2023-11-14 22:13:20 UTC · bot-1"
        );
        let many = Letter { kind: Kind::Digest, count: 57, first: Time::from_millis(1_699_999_000_000), ..one };
        assert_eq!(
            text(&many, "bot-1", limit),
            "CRITICAL position_mismatch BTCUSDT binance:main ×57\nours 0.1, theirs 0.2\n\
             57 more, from 2023-11-14 21:56:40 to 2023-11-14 22:13:20 UTC · bot-1"
        );
        assert_eq!(text(&one, "bot-1", TextLimit::Utf16(20)), "CRITICAL position_m…");
    }
}
