//! Numbers that bound the crate.

use std::time::Duration;

/// Channels of one notifier.
///
/// A bit each in the masks of rules. Worst case 16 connections, one a channel.
pub const CHANNELS_MAX: usize = 16;
const _: () = assert!(CHANNELS_MAX <= u16::BITS as usize);

/// Rules of one notifier; the first that fits decides, so each alert costs at most this many looks.
pub const RULES_MAX: usize = 64;

/// Accounts that one rule may name, and symbols as well.
pub const RULE_NAMES_MAX: usize = 64;

/// Bytes of the name of a channel or rule: part of lines of the ledger and labels of metrics.
pub const NAME_MAX: usize = 32;

/// Bytes of an account's name in an alert: exchange and account, `binance:main`.
pub const ACCOUNT_MAX: usize = 48;

/// Bytes of a symbol in an alert.
pub const SYMBOL_MAX: usize = 32;
const _: () = assert!(SYMBOL_MAX >= plimsoll_market::limits::SYMBOL_LEN_MAX);

/// Bytes of an alert's subject: a line of the ledger, a task, a stream.
pub const SUBJECT_MAX: usize = 64;

/// Bytes of the name under which an instance signs its messages.
pub const INSTANCE_MAX: usize = 64;

/// Lesser alerts that wait for the dispatcher. It takes them in microseconds; this is room for a burst while it sleeps.
///
/// When full, one of the same key is counted up, or else the oldest goes. Worst case 256 × 0.5 KiB = 128 KiB.
pub const INBOX_CAP: usize = 256;

/// Critical alerts that wait for the dispatcher, in a lane of their own that no lesser alert can fill.
///
/// When full, one of the same key is counted up, or else the new one is refused and counted.
pub const INBOX_CRITICAL_CAP: usize = 64;

/// Alerts the dispatcher takes before it lets other tasks run.
pub const ALERTS_PER_TURN: usize = 64;

/// Keys (code, severity, account, symbol, subject) that are cooling down.
///
/// Beyond it the oldest is closed early and its digest told. Worst case 512 × 0.6 KiB = 0.3 MiB.
pub const WINDOWS_MAX: usize = 512;

/// Longest cool-down.
pub const COOLDOWN_MAX: Duration = Duration::from_secs(24 * 3600);

/// Cool-down of a key when nothing else is configured; what the original's watchdog used.
pub const COOLDOWN: Duration = Duration::from_secs(30 * 60);

/// Cool-down of a critical key when nothing else is configured: somebody must act, so it is told again soon.
pub const COOLDOWN_CRITICAL: Duration = Duration::from_secs(5 * 60);

/// Least and most messages that may wait in a channel, lesser and critical ones each.
pub const QUEUE_MIN: usize = 4;
/// See [`QUEUE_MIN`]. Worst case 2 × 1024 × 0.6 KiB = 1.2 MiB a channel.
pub const QUEUE_MAX: usize = 1024;

/// Attempts for one message at most.
pub const ATTEMPTS_MAX: u32 = 1_000;

/// Shortest pause before a message is tried again, whatever is configured.
pub const RETRY_MIN: Duration = Duration::from_millis(10);

/// Longest pause before a message is tried again.
pub const RETRY_MAX: Duration = Duration::from_secs(3600);

/// Longest that a message may be tried.
pub const AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// Longest pause that a service can impose by `Retry-After`; a service that asks for more is asked again then.
pub const TOLD_TO_WAIT_MAX: Duration = Duration::from_secs(3600);

/// Pause before a lone message about lost messages is tried again at a service that refuses us: a wrong token does not heal.
pub const REFUSED_PAUSE: Duration = Duration::from_secs(600);

/// Range of the time limits of one attempt.
pub const TIMEOUT_MIN: Duration = Duration::from_millis(50);
/// See [`TIMEOUT_MIN`].
pub const TIMEOUT_MAX: Duration = Duration::from_secs(120);

/// Bytes of a service's answer that are read.
pub const ANSWER_MAX: usize = 64 * 1024;

/// Bytes a mail server may send in one conversation; a normal one sends some hundreds, and its certificate some thousands.
pub const SMTP_ANSWERS_MAX: u64 = 256 * 1024;

/// Bytes buffered of the head of a service's answer.
pub const HEAD_MAX: usize = 16 * 1024;

/// Bytes that sending one message takes at worst: connection, TLS, message, answer.
///
/// TLS holds up to 4 × 18 KiB, HTTP up to 2 × [`HEAD_MAX`], answers up to [`ANSWER_MAX`] twice while they are parsed.
pub const SENDING_BYTES: usize = 2 * ANSWER_MAX + 2 * HEAD_MAX + 72 * 1024 + 64 * 1024;

/// Bytes that one channel's certificates, addresses and secrets take at worst, without a file of certificates.
///
/// The roots that browsers trust are some 150 entries of 100 bytes, twice for a mail server with STARTTLS.
pub const CHANNEL_BYTES: usize = 64 * 1024;

/// Bytes that a channel to the log takes at worst, and again while it writes.
pub const LOG_BYTES: usize = 4 * 1024;

/// Bytes of a file of certificates.
pub const CA_FILE_MAX: u64 = 256 * 1024;

/// Bytes that one rule takes at worst, with its names.
pub const RULE_BYTES: usize = 64 + NAME_MAX + RULE_NAMES_MAX * (ACCOUNT_MAX + SYMBOL_MAX + 2 * 16);

/// Bytes of what a service says about a failure that are kept.
pub const NOTE_MAX: usize = 200;

/// Bytes that a secret has at least: shorter ones could not be told from ordinary text, and so not be kept out of it.
pub const SECRET_MIN: usize = 6;
/// Bytes that a secret has at most.
pub const SECRET_MAX: usize = 4096;

/// Mail addresses that one channel writes to.
pub const RECIPIENTS_MAX: usize = 16;

/// Bytes of an address, path or mail address in the configuration.
pub const ADDRESS_MAX: usize = 512;

/// Least that `text_max` of a channel may be.
pub const TEXT_MIN: usize = 64;

/// Future of a task as the ledger sees it: a box.
pub const TASK_FUTURE_BYTES: usize = 2 * size_of::<usize>();

/// Time for a dropped set of tasks to end after [`crate::Notifier::stop`]'s deadline.
pub const STOP_GRACE: Duration = Duration::from_millis(500);

/// People who may command over one Telegram channel, and commands that wait for their yes.
pub const SPEAKERS_MAX: usize = 8;

/// Messages that are taken from Telegram at once: two of 4,096 characters, six bytes each at worst, fit into [`ANSWER_MAX`].
pub const UPDATES_MAX: usize = 2;
const _: () = assert!(UPDATES_MAX * 4_096 * 6 + 8_192 <= ANSWER_MAX);

/// How long Telegram holds a question for messages open.
pub const POLL_FOR: Duration = Duration::from_secs(25);

/// Longest pause after a question that failed.
pub const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Age of a message beyond which it is not carried out: it was written to a bot that did not run.
pub const COMMAND_AGE_MAX: Duration = Duration::from_secs(60);

/// Time within which a dangerous command must be confirmed.
pub const CONFIRM_WITHIN: Duration = Duration::from_secs(60);

/// Wrong answers after which dangerous commands are locked.
pub const WRONG_MAX: u32 = 5;

/// For so long.
pub const LOCKED_FOR: Duration = Duration::from_secs(15 * 60);

/// Longest time for which alerts are muted.
pub const MUTE_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// UTF-16 units of an answer; Telegram takes 4,096.
pub const ANSWER_TEXT_MAX: usize = 3_500;

/// Time between two lines of the log about people who may not command.
pub const STRANGERS_LOGGED_EVERY: Duration = Duration::from_secs(3_600);
