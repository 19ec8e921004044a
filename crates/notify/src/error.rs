use crate::limits::TOLD_TO_WAIT_MAX;
use crate::secret::Note;
use std::io;
use std::time::Duration;
use thiserror::Error;

/// Why a message was not sent. Says nothing of addresses, tokens and passwords; what others said is in a [`Note`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// No connection.
    #[error("could not connect: {0}")]
    Connect(io::ErrorKind),
    /// No TLS: a certificate that is not trusted, or a server that does not speak it.
    #[error("no TLS with the server: {0}")]
    Tls(Note),
    /// Too slow.
    #[error("no answer within {} ms", after.as_millis())]
    Timeout {
        /// The time it had.
        after: Duration,
    },
    /// The connection broke. The message may have arrived.
    #[error("the connection broke before the answer was complete: {0}")]
    Broken(Note),
    /// The answer is longer than 64 KiB.
    #[error("the answer is longer than {} KiB", crate::limits::ANSWER_MAX / 1024)]
    TooLong,
    /// Too many messages; the service wants a pause.
    #[error("the service wants fewer messages ({text}){}", wait_text(*after))]
    Limited {
        /// How long to wait, if it said so.
        after: Option<Duration>,
        /// What it said.
        text: Note,
    },
    /// Another status than success.
    #[error("the service answered {status}{}: {text}", hint(*status))]
    Status {
        /// The status of HTTP.
        status: u16,
        /// What it said.
        text: Note,
    },
    /// A failure inside a successful answer.
    #[error("the service refused it with code {code}: {text}")]
    Service {
        /// Its code.
        code: i64,
        /// What it said.
        text: Note,
        /// Whether it asks to try again.
        busy: bool,
    },
    /// A successful answer that is not what the service documents: something else listens there.
    #[error("the answer is not the service's: {text}")]
    Strange {
        /// Its beginning.
        text: Note,
    },
    /// The mail server said no.
    #[error("the mail server answered {code}: {text}")]
    Mail {
        /// The code of SMTP.
        code: u16,
        /// What it said.
        text: Note,
    },
    /// The conversation with the mail server went wrong.
    #[error("no mail could be handed over: {0}")]
    MailTalk(Note),
    /// The message could not be built.
    #[error("the message could not be built: {0}")]
    Build(Note),
}

fn wait_text(after: Option<Duration>) -> String {
    after.map_or_else(String::new, |after| format!(", in {} ms again", after.as_millis()))
}

/// What most often is behind a status.
const fn hint(status: u16) -> &'static str {
    match status {
        401 | 403 => " (is the token right, and may it write there?)",
        404 | 410 => " (is the address or token right, and does it still exist?)",
        301 | 302 | 307 | 308 => " (a redirection, which is not followed: use the final address)",
        _ => "",
    }
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Try again, not before the service said, if it did.
    Retry {
        /// At least this much later.
        after: Option<Duration>,
    },
    /// It would be refused again.
    Refused,
}

impl SendError {
    /// What to do.
    pub fn class(&self) -> Class {
        let retry = Class::Retry { after: None };
        match *self {
            Self::Connect(_) | Self::Tls(_) | Self::Timeout { .. } | Self::Broken(_) | Self::MailTalk(_) => retry,
            Self::Limited { after, .. } => Class::Retry { after: after.map(|after| after.min(TOLD_TO_WAIT_MAX)) },
            // A gateway's error page also comes with a good status at times.
            Self::Strange { .. } => retry,
            Self::Status { status, .. } if status >= 500 || status == 408 || status == 425 => retry,
            Self::Service { busy: true, .. } => retry,
            Self::Mail { code, .. } if (400..500).contains(&code) => retry,
            Self::Status { .. } | Self::Service { .. } | Self::Mail { .. } | Self::TooLong | Self::Build(_) => Class::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_are_tried_again_and_refusals_are_not() {
        let text = || Note::plain("x");
        let retry = Class::Retry { after: None };
        for (error, class) in [
            (SendError::Connect(io::ErrorKind::ConnectionRefused), retry),
            (SendError::Status { status: 500, text: text() }, retry),
            (SendError::Status { status: 499, text: text() }, Class::Refused),
            (SendError::Status { status: 408, text: text() }, retry),
            (SendError::Status { status: 301, text: text() }, Class::Refused),
            (SendError::Mail { code: 399, text: text() }, Class::Refused),
            (SendError::Mail { code: 400, text: text() }, retry),
            (SendError::Mail { code: 499, text: text() }, retry),
            (SendError::Mail { code: 500, text: text() }, Class::Refused),
            (SendError::Service { code: 1, text: text(), busy: false }, Class::Refused),
            (SendError::Service { code: -1, text: text(), busy: true }, retry),
            (SendError::Limited { after: Some(TOLD_TO_WAIT_MAX * 2), text: text() }, Class::Retry { after: Some(TOLD_TO_WAIT_MAX) }),
        ] {
            assert_eq!(error.class(), class, "{error}");
        }
    }

    #[test]
    fn errors_are_sentences() {
        let text = Note::plain("Unauthorized");
        assert_eq!(
            SendError::Status { status: 401, text }.to_string(),
            "the service answered 401 (is the token right, and may it write there?): Unauthorized"
        );
        let after = Some(Duration::from_millis(1500));
        assert_eq!(
            SendError::Limited { after, text: Note::plain("slow down") }.to_string(),
            "the service wants fewer messages (slow down), in 1500 ms again"
        );
        assert_eq!(SendError::Connect(io::ErrorKind::ConnectionRefused).to_string(), "could not connect: connection refused");
    }
}
