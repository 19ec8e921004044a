use crate::limits::{
    AGE_MAX, ATTEMPTS_MAX, CHANNELS_MAX, COOLDOWN, COOLDOWN_CRITICAL, NAME_MAX, QUEUE_MAX, QUEUE_MIN, RETRY_MAX, RETRY_MIN, RULE_NAMES_MAX,
    RULES_MAX, TEXT_MIN, TIMEOUT_MAX, TIMEOUT_MIN,
};
use crate::secret::Secret;
use plimsoll_market::{AlertCode, Severity};
use std::path::PathBuf;
use std::time::Duration;

/// What alerts go where. Checked by [`Config::check`].
#[derive(Clone, Debug)]
// tidy: short-lived, taken apart at the start
pub struct Config {
    /// Who writes: part of every message, so that two bots in one chat can be told apart. 1 to 64 bytes, one line.
    pub instance: String,
    /// Where messages go; at most [`CHANNELS_MAX`]. None is allowed: then alerts are counted and go nowhere.
    pub channels: Vec<ChannelConfig>,
    /// Who is told what; at most [`RULES_MAX`]. The first that fits decides. Without any, warnings and worse go to all
    /// channels, and the rest to those that write the log. A critical alert that no rule fits goes to all channels.
    pub rules: Vec<Rule>,
    /// How long a key (code, severity, account, symbol, subject) keeps silent after it was told; what comes meanwhile is
    /// counted and told once at the end. Zero switches it off. At most a day.
    pub cooldown: Duration,
    /// The same for critical alerts.
    pub cooldown_critical: Duration,
    /// Seed of the jitter between attempts. Any; different ones keep several bots from trying at the same moment.
    pub seed: u64,
}

impl Config {
    /// No channels, no rules, and the usual cool-downs of 30 and 5 minutes.
    pub fn new(instance: &str) -> Self {
        Self {
            instance: instance.to_owned(),
            channels: Vec::new(),
            rules: Vec::new(),
            cooldown: COOLDOWN,
            cooldown_critical: COOLDOWN_CRITICAL,
            seed: 0,
        }
    }
}

/// Says which alerts go to which channels.
#[derive(Clone, Debug, PartialEq, Eq)]
// tidy: short-lived, taken apart at the start
pub struct Rule {
    /// Codes that it fits; none means all.
    pub codes: Vec<AlertCode>,
    /// The least severity that it fits.
    pub severity_min: Severity,
    /// Accounts that it fits, as the alert names them; none means all. At most [`RULE_NAMES_MAX`].
    pub accounts: Vec<String>,
    /// Symbols that it fits; none means all. At most [`RULE_NAMES_MAX`].
    pub symbols: Vec<String>,
    /// Names of the channels that are told; none keeps these alerts silent.
    pub channels: Vec<String>,
    /// Instead of [`Config::cooldown`]. Zero to a day.
    pub cooldown: Option<Duration>,
    /// Instead of [`Config::cooldown_critical`]. Zero to a day.
    pub cooldown_critical: Option<Duration>,
}

impl Rule {
    /// Fits everything from this severity on.
    pub fn from(severity_min: Severity, channels: &[&str]) -> Self {
        Self {
            codes: Vec::new(),
            severity_min,
            accounts: Vec::new(),
            symbols: Vec::new(),
            channels: channels.iter().map(|&name| name.to_owned()).collect(),
            cooldown: None,
            cooldown_critical: None,
        }
    }
}

/// One channel.
#[derive(Clone, Debug)]
pub struct ChannelConfig {
    /// Its name in rules, logs and metrics: 1 to [`NAME_MAX`] of `a-z`, `0-9`, `-` and `_`; no two are alike.
    pub name: String,
    /// What it is, with addresses and secrets.
    pub kind: ChannelKind,
    /// How many messages may be sent.
    pub rate: Rate,
    /// How messages that could not be sent are tried again.
    pub retry: Retry,
    /// Time for a connection, with TLS: 50 ms to 2 min.
    pub connect_timeout: Duration,
    /// Time for one attempt in all: 50 ms to 2 min, not less than `connect_timeout`.
    pub timeout: Duration,
    /// Messages that may wait, [`QUEUE_MIN`] to [`QUEUE_MAX`]; when full, one of the same key is counted up, or the oldest goes.
    pub queue: usize,
    /// Critical messages that may wait, in a queue of their own that is sent first. As `queue`.
    pub queue_critical: usize,
    /// Shorter messages than the service allows; [`TEXT_MIN`] to the service's limit, in the service's unit.
    pub text_max: Option<usize>,
    /// File with certificates (PEM) that are trusted beside those that browsers trust; at most 256 KiB.
    pub ca_file: Option<PathBuf>,
    /// Whether addresses that are not of this machine may be without TLS. What is sent can be read on the way then.
    pub allow_plain: bool,
}

impl ChannelConfig {
    /// A channel with the limits that its service publishes, or below.
    pub fn new(name: &str, kind: ChannelKind) -> Self {
        let rate = kind.rate();
        Self {
            name: name.to_owned(),
            kind,
            rate,
            retry: Retry::default(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            queue: 64,
            queue_critical: 32,
            text_max: None,
            ca_file: None,
            allow_plain: false,
        }
    }
}

/// How many messages a channel may send. In no minute more than `burst + per_minute` are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Messages at once after a pause, 1 to 1000.
    pub burst: u32,
    /// Messages a minute in the long run, 1 to 6000.
    pub per_minute: u32,
}

/// How messages are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Pause after the first failure; doubles with each. [`RETRY_MIN`] to [`RETRY_MAX`]. Up to a quarter is added by chance.
    pub first: Duration,
    /// Longest pause; `first` to [`RETRY_MAX`].
    pub max: Duration,
    /// Attempts for one message, 1 to [`ATTEMPTS_MAX`].
    pub attempts: u32,
    /// A message older than this is not tried any more but counted; what was lost is told when the channel works again.
    /// At most a week ([`AGE_MAX`]), not less than `first`.
    pub age_max: Duration,
}

impl Default for Retry {
    /// From 1 s to 1 min, 100 attempts, one hour.
    fn default() -> Self {
        Self { first: Duration::from_secs(1), max: Duration::from_secs(60), attempts: 100, age_max: Duration::from_secs(3600) }
    }
}

/// What a channel is.
#[derive(Clone, Debug)]
pub enum ChannelKind {
    /// The process's log.
    Log,
    /// Our JSON to any server.
    Webhook(Webhook),
    /// A Telegram bot.
    Telegram(Telegram),
    /// An incoming webhook of Slack.
    Slack(Hook),
    /// A webhook of Discord.
    Discord(Hook),
    /// E-mail by SMTP.
    Email(Box<Email>),
    /// A custom bot of Feishu or Lark.
    Feishu(Robot),
    /// A custom robot of DingTalk.
    DingTalk(Robot),
    /// A group robot of WeCom.
    WeCom(Hook),
}

/// A server that understands our JSON.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// The whole address; a secret, because many carry a token.
    pub url: Secret,
    /// Signs what is sent: header `x-plimsoll-signature: sha256=HEX`, HMAC-SHA256 over the time of header
    /// `x-plimsoll-timestamp` (seconds), a full stop, and the body.
    pub signing: Option<Secret>,
}

/// A Telegram bot and the chat that it writes to.
#[derive(Clone, Debug)]
pub struct Telegram {
    /// Instead of `https://api.telegram.org`.
    pub base: Option<String>,
    /// The token that BotFather gave: `123456:ABC…`.
    pub token: Secret,
    /// Number of a chat (negative for groups), or `@name` of a channel. 1 to 64 bytes.
    pub chat: String,
    /// Topic of a group with topics.
    pub thread: Option<i64>,
    /// Numbers of the people who may command over it, wherever they write to the bot; none means that nobody may. The first
    /// [`crate::limits::SPEAKERS_MAX`] count.
    pub commanders: Vec<i64>, // tidy: bounded by SPEAKERS_MAX, cut when it is used
}

/// A webhook whose address is the secret.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Instead of the service's own address: `https://hooks.slack.com`, `https://discord.com`, `https://qyapi.weixin.qq.com`.
    pub base: Option<String>,
    /// The whole address as the service shows it, or the part after `/services/` (Slack: `T…/B…/…`), after
    /// `/api/webhooks/` (Discord: `ID/TOKEN`), or after `key=` (WeCom).
    pub hook: Secret,
}

/// A robot whose address is a secret, and that may want a signature.
#[derive(Clone, Debug)]
pub struct Robot {
    /// Instead of `https://open.feishu.cn` (Lark: `https://open.larksuite.com`) or `https://oapi.dingtalk.com`.
    pub base: Option<String>,
    /// The whole address as the service shows it, or the part after `/hook/` (Feishu) or after `access_token=` (DingTalk).
    pub hook: Secret,
    /// The secret of the security setting "signature", if that is on.
    pub signing: Option<Secret>,
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Without TLS, port 25. For servers on this machine.
    None,
    /// TLS after a greeting, port 587. A server that does not offer it is refused.
    StartTls,
    /// TLS from the start, port 465.
    Tls,
}

impl Security {
    /// The port that is used when none is named.
    pub const fn port(self) -> u16 {
        match self {
            Self::None => 25,
            Self::StartTls => 587,
            Self::Tls => 465,
        }
    }
}

/// A mail server and who writes to whom.
#[derive(Clone, Debug)]
// tidy: short-lived, taken apart at the start
pub struct Email {
    /// Name of the server.
    pub host: String,
    /// Port; [`Security::port`] when none is named.
    pub port: Option<u16>,
    /// How it is spoken to.
    pub security: Security,
    /// User and password; both or neither.
    pub user: Option<String>,
    /// See `user`.
    pub password: Option<Secret>,
    /// Who writes: `bot@example.org` or `Bot <bot@example.org>`.
    pub from: String,
    /// Who is written to, 1 to 16.
    pub to: Vec<String>,
}

/// How long a text may be, and in which unit the service counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextLimit {
    /// UTF-16 units: what services mean by characters when an emoji counts as two.
    Utf16(usize),
    /// Bytes in UTF-8.
    Bytes(usize),
}

impl ChannelKind {
    /// The word for configuration, logs and metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Webhook(_) => "webhook",
            Self::Telegram(_) => "telegram",
            Self::Slack(_) => "slack",
            Self::Discord(_) => "discord",
            Self::Email(_) => "email",
            Self::Feishu(_) => "feishu",
            Self::DingTalk(_) => "dingtalk",
            Self::WeCom(_) => "wecom",
        }
    }

    /// Below what the service publishes, where it does.
    const fn rate(&self) -> Rate {
        match self {
            Self::Log => Rate { burst: 100, per_minute: 600 },
            Self::Webhook(_) => Rate { burst: 20, per_minute: 120 },
            // 20 a minute to a group, 1 a second to a chat with short bursts.
            Self::Telegram(_) => Rate { burst: 3, per_minute: 15 },
            // 1 a second.
            Self::Slack(_) => Rate { burst: 1, per_minute: 50 },
            // 5 in 2 seconds, 30 a minute.
            Self::Discord(_) => Rate { burst: 4, per_minute: 24 },
            // What mail servers bear differs; people's patience does not.
            Self::Email(_) => Rate { burst: 5, per_minute: 6 },
            // 5 a second, 100 a minute.
            Self::Feishu(_) => Rate { burst: 4, per_minute: 60 },
            // 20 a minute; who sends more is locked out for ten.
            Self::DingTalk(_) => Rate { burst: 4, per_minute: 15 },
            // 20 a minute.
            Self::WeCom(_) => Rate { burst: 4, per_minute: 15 },
        }
    }

    /// The longest text that the service takes, or less where it counts the whole request.
    pub const fn text_limit(&self) -> TextLimit {
        match self {
            Self::Telegram(_) => TextLimit::Utf16(4096),
            Self::Discord(_) => TextLimit::Utf16(2000),
            // Longer ones are cut by Slack itself at 40,000; beyond 4,000 they are shown in parts.
            Self::Slack(_) => TextLimit::Utf16(4000),
            // The request may have 20 KB, with quotes and escapes.
            Self::Feishu(_) => TextLimit::Bytes(8_000),
            Self::DingTalk(_) => TextLimit::Bytes(8_000),
            Self::WeCom(_) => TextLimit::Bytes(2048),
            Self::Log | Self::Webhook(_) | Self::Email(_) => TextLimit::Bytes(8_000),
        }
    }
}

/// Something wrong in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {text}")]
pub struct Mistake {
    /// Where: `channels.NAME.token`, `rules.0.channels`.
    pub key: String,
    /// What, and what is allowed. Never a secret.
    pub text: String,
}

const _: () = assert!(NAME_MAX >= 8 && RULES_MAX >= CHANNELS_MAX && RULE_NAMES_MAX >= 1);
const _: () = assert!(QUEUE_MIN < QUEUE_MAX && TEXT_MIN < 2000 && ATTEMPTS_MAX >= 100);
const _: () = assert!(RETRY_MIN.as_millis() < RETRY_MAX.as_millis() && TIMEOUT_MIN.as_millis() < TIMEOUT_MAX.as_millis());
const _: () = assert!(AGE_MAX.as_secs() >= 3600);
