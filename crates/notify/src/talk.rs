//! What is said to a bot in a chat, and what is answered: plain code without a clock or socket.

use crate::limits::{CONFIRM_WITHIN, LOCKED_FOR, MUTE_MAX, SPEAKERS_MAX, WRONG_MAX};
use arrayvec::{ArrayString, ArrayVec};
use plimsoll_market::Time;
use std::time::Duration;

/// Something to be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Question {
    /// How the bot is.
    Status,
    /// What was earned.
    Profit,
    /// What is held.
    Positions,
}

/// Something to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    /// Open nothing more.
    Pause,
    /// Open again.
    Resume,
    /// Withdraw all orders.
    Cancel,
    /// Withdraw all orders and close what is held.
    Flatten,
}

impl Deed {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::Flatten => "flatten",
        }
    }

    /// Whether it must be confirmed.
    pub const fn is_dangerous(self) -> bool {
        matches!(self, Self::Cancel | Self::Flatten)
    }
}

/// A deed and whom it concerns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Order {
    /// What.
    pub deed: Deed,
    /// For this symbol; `None` for all.
    pub symbol: Option<ArrayString<{ crate::limits::SYMBOL_MAX }>>,
}

/// What follows from a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    /// Answer it.
    Ask(Question),
    /// Do it.
    Do(Order),
    /// Say what it would do and ask for a yes with this word; `None`: with a one-time code.
    Confirm(Order, Option<u16>),
    /// Look whether the one-time code is right, and then do it.
    Check(Order, ArrayString<8>),
    /// Be silent about what is not critical for so long; `None` ends it.
    Mute(Option<Duration>),
    /// Say this.
    Say(&'static str),
}

/// Somebody's deed that waits for a yes.
#[derive(Clone, Copy, Debug)]
struct Pending {
    from: i64,
    order: Order,
    until: Time,
    word: Option<u16>,
}

pub(crate) const HELP: &str = "/status, /profit, /positions\n/pause [SYMBOL], /resume [SYMBOL]\n/cancel SYMBOL or all: withdraws orders\n\
     /flatten SYMBOL or all: withdraws orders and closes positions at market\n/mute 2h, /unmute: only what is critical is told";

/// A conversation with those who may command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Talk {
    pending: ArrayVec<Pending, SPEAKERS_MAX>,
    wrong: u32,
    locked_until: Time,
}

impl Talk {
    /// Takes a message of somebody who may command. `codes`: one-time codes are set up, and wanted; `word` is a random one.
    pub(crate) fn hear(&mut self, now: Time, from: i64, text: &str, codes: bool, word: u16) -> Heard {
        self.pending.retain(|pending| pending.until > now);
        let mut words = text.split_whitespace();
        // In groups the bot's name follows the command.
        let first = words.next().unwrap_or_default();
        let verb = first.trim_start_matches('/').split('@').next().unwrap_or_default().to_ascii_lowercase();
        let rest = words.next();
        if words.next().is_some() {
            return Heard::Say("that is too long for a command; /help shows them");
        }
        match (verb.as_str(), rest) {
            ("yes", said) => self.confirm(now, from, said),
            ("status", None) => Heard::Ask(Question::Status),
            ("profit", None) => Heard::Ask(Question::Profit),
            ("positions", None) => Heard::Ask(Question::Positions),
            ("help" | "start", _) => Heard::Say(HELP),
            ("pause", symbol) => self.order(now, from, Deed::Pause, symbol, codes, word),
            ("resume", symbol) => self.order(now, from, Deed::Resume, symbol, codes, word),
            // Whom it concerns is said, never meant.
            ("cancel" | "flatten", None) => Heard::Say("say for which symbol, or all: /flatten BTCUSDT, /flatten all"),
            ("cancel", symbol) => self.order(now, from, Deed::Cancel, symbol, codes, word),
            ("flatten", symbol) => self.order(now, from, Deed::Flatten, symbol, codes, word),
            ("unmute", None) => Heard::Mute(None),
            ("mute", span) => match span.map_or(Some(Duration::from_secs(3_600)), span_of) {
                Some(span) => Heard::Mute(Some(span)),
                None => Heard::Say("say for how long: /mute 30m, /mute 2h, /mute 1d; seven days at most"),
            },
            _ => Heard::Say("that is no command; /help shows them"),
        }
    }

    fn order(&mut self, now: Time, from: i64, deed: Deed, symbol: Option<&str>, codes: bool, word: u16) -> Heard {
        let symbol = match symbol {
            None => None,
            Some(all) if all.eq_ignore_ascii_case("all") => None,
            Some(name) => match ArrayString::from(&name.to_ascii_uppercase()) {
                Ok(name) if name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)) => Some(name),
                _ => return Heard::Say("that is no symbol"),
            },
        };
        let order = Order { deed, symbol };
        if !deed.is_dangerous() {
            return Heard::Do(order);
        }
        if now < self.locked_until {
            return Heard::Say("too many wrong answers: dangerous commands are locked for a quarter of an hour");
        }
        self.pending.retain(|pending| pending.from != from);
        let word = if codes { None } else { Some(word % 9_000 + 1_000) };
        let pending = Pending { from, order, until: now + CONFIRM_WITHIN, word };
        match self.pending.try_push(pending) {
            Ok(()) => Heard::Confirm(order, word),
            Err(_) => Heard::Say("too many commands wait for a yes; try again in a minute"),
        }
    }

    fn confirm(&mut self, now: Time, from: i64, said: Option<&str>) -> Heard {
        if now < self.locked_until {
            return Heard::Say("too many wrong answers: dangerous commands are locked for a quarter of an hour");
        }
        let Some(at) = self.pending.iter().position(|pending| pending.from == from) else {
            return Heard::Say("nothing waits for a yes; say the command again");
        };
        // One answer for each question: the next one needs the command again.
        let pending = self.pending.remove(at);
        match (pending.word, said) {
            (Some(word), Some(said)) if said.parse() == Ok(word) => {
                self.wrong = 0;
                Heard::Do(pending.order)
            }
            (None, Some(code)) => match ArrayString::from(code) {
                Ok(code) => Heard::Check(pending.order, code),
                Err(_) => self.was_wrong(now),
            },
            _ => self.was_wrong(now),
        }
    }

    /// A one-time code was right.
    pub(crate) const fn was_right(&mut self) {
        self.wrong = 0;
    }

    /// A one-time code, or an answer, was wrong.
    pub(crate) fn was_wrong(&mut self, now: Time) -> Heard {
        self.wrong += 1;
        if self.wrong >= WRONG_MAX {
            (self.wrong, self.locked_until) = (0, now + LOCKED_FOR);
            self.pending.clear();
            return Heard::Say("that was wrong too often: dangerous commands are locked for a quarter of an hour");
        }
        Heard::Say("that was wrong; nothing was done. Say the command again")
    }
}

/// `30m`, `2h`, `1d`; up to [`MUTE_MAX`].
fn span_of(text: &str) -> Option<Duration> {
    let unit = match text.chars().last()? {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u64 = text.get(..text.len() - 1)?.parse().ok()?;
    let span = Duration::from_secs(count.checked_mul(unit)?);
    (!span.is_zero() && span <= MUTE_MAX).then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_millis(1_000_000 + seconds * 1_000)
    }

    fn all(deed: Deed) -> Order {
        Order { deed, symbol: None }
    }

    #[test]
    fn questions_and_harmless_commands_need_no_yes() {
        let mut talk = Talk::default();
        let mut hear = |text: &str| talk.hear(at(0), 7, text, false, 0);
        assert_eq!(hear("/status"), Heard::Ask(Question::Status));
        assert_eq!(hear("/positions@plimsoll_bot"), Heard::Ask(Question::Positions));
        assert_eq!(hear("profit"), Heard::Ask(Question::Profit));
        assert_eq!(hear("/pause"), Heard::Do(all(Deed::Pause)));
        let one = Order { deed: Deed::Resume, symbol: Some(ArrayString::from("BTCUSDT").unwrap()) };
        assert_eq!(hear("/resume btcusdt"), Heard::Do(one));
        assert_eq!(hear("/mute 90m"), Heard::Mute(Some(Duration::from_secs(5_400))));
        assert_eq!(hear("/unmute"), Heard::Mute(None));
        for text in
            ["/mute 8d", "/mute 0m", "/mute x", "/mute ü", "/flatten", "/cancel", "/pause a b", "hello", "", "/pause a/b", "yes 1234"]
        {
            assert!(matches!(hear(text), Heard::Say(_)), "{text}");
        }
    }

    #[test]
    fn what_is_dangerous_is_done_only_after_the_right_word_of_the_same_person_in_time() {
        let mut talk = Talk::default();
        let ask = |talk: &mut Talk, seconds| talk.hear(at(seconds), 7, "/flatten all", false, 234);
        assert_eq!(ask(&mut talk, 0), Heard::Confirm(all(Deed::Flatten), Some(1_234)));
        assert!(matches!(talk.hear(at(1), 8, "yes 1234", false, 0), Heard::Say(_)), "somebody else's yes");
        assert_eq!(talk.hear(at(2), 7, "Yes 1234", false, 0), Heard::Do(all(Deed::Flatten)));
        assert!(matches!(talk.hear(at(3), 7, "yes 1234", false, 0), Heard::Say(_)), "once");
        ask(&mut talk, 10);
        assert!(matches!(talk.hear(at(10) + CONFIRM_WITHIN, 7, "yes 1234", false, 0), Heard::Say(_)), "too late");
        ask(&mut talk, 200);
        assert!(matches!(talk.hear(at(201), 7, "yes", false, 0), Heard::Say(_)));
        assert!(matches!(talk.hear(at(202), 7, "yes 1234", false, 0), Heard::Say(_)), "a wrong answer ends the question");
    }

    #[test]
    fn with_one_time_codes_the_code_is_the_word() {
        let mut talk = Talk::default();
        assert_eq!(
            talk.hear(at(0), 7, "/cancel ETHUSDT", true, 0),
            Heard::Confirm(Order { deed: Deed::Cancel, symbol: Some(ArrayString::from("ETHUSDT").unwrap()) }, None)
        );
        let Heard::Check(order, code) = talk.hear(at(1), 7, "yes 123456", true, 0) else { panic!("no code to check") };
        assert_eq!((order.deed, code.as_str()), (Deed::Cancel, "123456"));
    }

    #[test]
    fn guessing_is_locked_out() {
        let mut talk = Talk::default();
        for n in 0..u64::from(WRONG_MAX) {
            assert!(matches!(talk.hear(at(n), 7, "/flatten all", false, 0), Heard::Confirm(..)));
            assert!(matches!(talk.hear(at(n), 7, "yes 1", false, 0), Heard::Say(_)));
        }
        assert!(matches!(talk.hear(at(20), 7, "/flatten all", false, 0), Heard::Say(_)));
        assert_eq!(talk.hear(at(20), 7, "/pause", false, 0), Heard::Do(all(Deed::Pause)), "what is harmless goes on");
        assert!(matches!(talk.hear(at(20) + LOCKED_FOR, 7, "/flatten all", false, 0), Heard::Confirm(..)));
    }
}
